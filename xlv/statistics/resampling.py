"""Folds, resampling and intervals; everything seeded, everything by group of pairs."""

import warnings
from collections.abc import Hashable, Iterable
from functools import lru_cache

import numpy as np
from scipy.stats import norm

LEVEL = 0.95
N_RESAMPLES = 400
MIN_GROUPS = 4  # of pairs per concept: two halves of two


def group_indices(groups: Iterable[Hashable]) -> np.ndarray:
    """Index of each pair's group, `[pair]`, groups numbered by first appearance."""
    names = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    return np.array([names[name] for name in groups])


def partitions(groups: np.ndarray, *, n_folds: int, n_partitions: int, seed: int = 0) -> np.ndarray:
    """Fold of each pair in each random partition, `[partition, pair]`; a group is never split.

    With as many groups as folds or fewer, there is one partition only, leaving one group out in turn.
    Raises ValueError for fewer than two groups.
    """
    n_groups = int(groups.max()) + 1
    if n_groups < 2:
        raise ValueError(f"expected pairs of at least two groups, got {n_groups}: folds never split a group")
    if n_groups <= n_folds:
        return groups[None, :].copy()
    generator = np.random.default_rng(seed)
    folds = np.arange(n_groups) % n_folds
    return np.stack([generator.permutation(folds)[groups] for _ in range(n_partitions)])


def bootstrap_weights(groups: np.ndarray, n_resamples: int = N_RESAMPLES, seed: int = 0) -> np.ndarray:
    """Weights of pairs in bootstrap resamples of whole groups, `[resample, pair]`, each row summing to one."""
    n_groups = int(groups.max()) + 1
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_resamples)
    weights = counts[:, groups].astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def permuted(size: int, n_permutations: int, seed: int = 0) -> np.ndarray:
    """Orders `[draw, place]` of so many things: the first as they are, the others at random."""
    drawn = np.random.default_rng(seed).random((n_permutations, size)).argsort(axis=1)
    return np.concatenate([np.arange(size)[None], drawn])


def interval(samples: np.ndarray, level: float = LEVEL, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of resampled statistics along `axis`; NaN where none is defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN: nothing to say, which NaN says
        low, high = np.nanquantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=axis)
    return low, high


def flipped_means(values: np.ndarray, n_flips: int, seed: int = 0) -> np.ndarray:
    """Means `[flip]` of random subsets of values `[unit]`: their quantiles bound what a sign-flip test does not reject.

    Flipping the signs of values less θ at random, mean θ is rejected by as many flips as subsets have a mean beyond it
    (Hartigan 1969): those of the values flipped. Studentised or not is the same, since flips leave squares as they are.
    """
    return _subsets(len(values), n_flips, seed) @ values


@lru_cache(8)
def _subsets(size: int, count: int, seed: int) -> np.ndarray:
    """Weights `[subset, unit]` of the means of random subsets that are not empty."""
    taken = np.random.default_rng(seed).random((count, size)) < 0.5
    taken = taken[taken.any(axis=1)]
    return taken / taken.sum(axis=1, keepdims=True)


def wilson(share: np.ndarray, trials: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of a share of so many trials, `z` standard errors to either side; within 0 and 1."""
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return centre - half, centre + half


def proportion_interval(successes: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % Wilson interval of a proportion; NaN where there are no trials."""
    trials = np.asarray(trials, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return wilson(np.asarray(successes) / trials, trials, norm.ppf((1 + LEVEL) / 2))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm-adjusted p-values of one family, in the given order."""
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
