"""Consistency: how alike the vectors of one concept are in two languages, with and without estimation noise."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from xlv.statistics.resampling import MIN_GROUPS, N_RESAMPLES, group_indices
from xlv.statistics.vectors import pair_differences

MIN_SOUND = 0.9
_AT_A_TIME = 40  # splits: their vectors are held at once


@dataclass(frozen=True)
class HalfCosines:
    """Cosines between vectors of disjoint halves of the pairs, corrected for attenuation.

    corrected    `[source, target]` median over splits of the corrected cosine; NaN where a language's
                                   halves disagree (cosine ≤ 0) in more than a tenth of the splits
    low, high    `[source, target]` its 95 % interval over resampled splits
    reliability  `[language]`       median cosine of a language's own two half vectors
    mean         `[split]`          mean of the corrected cosine over pairs of different languages
    agreement    `[split]`          mean over languages of the cosine of their two half vectors
    """

    corrected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reliability: np.ndarray
    mean: np.ndarray
    agreement: np.ndarray


def cosines(vectors: np.ndarray) -> np.ndarray:
    """Plain cosine `[source, target]` of vectors `[language, d_model]`, as in the paper (section 3.3)."""
    norm = np.linalg.norm(vectors, axis=-1)
    return vectors @ vectors.T / np.outer(norm, norm)


def consistency(states: np.ndarray, groups: Sequence[Hashable] | None = None, *, seed: int = 0) -> HalfCosines:
    """How alike a concept's vectors are in two languages, at one layer (section 3.3), corrected for noise.

    `states` `[language, example, d_model]`, positive examples first, the pairs parallel over languages; `groups` names
    the situation of each pair (None: each pair is its own). Raises ValueError for fewer than four groups.
    """
    differences = pair_differences(states, "language, example, d_model")
    named = group_indices(range(differences.shape[1]) if groups is None else groups)
    if len(named) != differences.shape[1]:
        raise ValueError(f"expected a group for each of {differences.shape[1]} pairs, got {len(named)}")
    return half_cosines(differences, named, seed=seed)


def _half_weights(groups: np.ndarray, n_splits: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[split, pair]` of two disjoint random halves of the groups, each resampled with replacement."""
    n_groups = int(groups.max()) + 1
    if n_groups < MIN_GROUPS:
        raise ValueError(f"expected pairs of at least {MIN_GROUPS} groups to halve, got {n_groups}")
    generator = np.random.default_rng(seed)
    weights = np.zeros((2, n_splits, len(groups)))
    for split in range(n_splits):
        order = generator.permutation(n_groups)
        for half, members in enumerate((order[: n_groups // 2], order[n_groups // 2 :])):
            counts = np.bincount(generator.choice(members, size=len(members)), minlength=n_groups)
            weights[half, split] = counts[groups] / counts[groups].sum()
    return weights[0], weights[1]


def _units(weights: np.ndarray, differences: np.ndarray) -> np.ndarray:
    """Vectors `[split, language, d_model]` of length 1 of the pairs that `weights` `[split, pair]` weigh."""
    vectors = np.matmul(weights.astype(differences.dtype), differences).transpose(1, 0, 2)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def half_cosines(
    differences: np.ndarray, groups: np.ndarray, *, n_splits: int = N_RESAMPLES, seed: int = 0
) -> HalfCosines:
    """Cosines of vectors from disjoint halves, corrected for attenuation (Spearman).

    ½ [cos(v1A, v2B) + cos(v1B, v2A)] / √(cos(v1A, v1B) · cos(v2A, v2B)): translations of one pair share more than
    their concept, so the two vectors of a comparison never come from the same pairs; the denominator undoes what
    few pairs cost. Where a language's halves do not agree at all the value is NaN. `differences` of pairs are
    `[language, pair, d_model]`. Raises ValueError for fewer than four groups.
    """
    halves = _half_weights(groups, n_splits, seed)
    cross = np.empty((n_splits, len(differences), len(differences)))  # cos(v_s of half A, v_t of half B)
    for start in range(0, n_splits, _AT_A_TIME):
        some = slice(start, start + _AT_A_TIME)
        first, second = (_units(weights[some], differences) for weights in halves)
        cross[some] = np.matmul(first, second.transpose(0, 2, 1))
    reliability = np.einsum("rss->rs", cross)
    product = reliability[:, :, None] * reliability[:, None, :]
    sound = (reliability[:, :, None] > 0) & (reliability[:, None, :] > 0)
    corrected = np.full(cross.shape, np.nan)
    symmetric = (cross + cross.transpose(0, 2, 1)) / 2
    corrected[sound] = symmetric[sound] / np.sqrt(product[sound])
    known = np.isfinite(corrected).mean(axis=0) >= MIN_SOUND
    off_diagonal = known & ~np.eye(corrected.shape[1], dtype=bool)
    low, middle, high = _quantiles(np.where(known, corrected, 0.0), [0.025, 0.5, 0.975])
    values = corrected[:, off_diagonal]
    counts = np.isfinite(values).sum(axis=1)
    mean = np.divide(np.nansum(values, axis=1), counts, out=np.full(len(values), np.nan), where=counts > 0)
    blank = np.where(known, 0.0, np.nan)
    middle, low, high = middle + blank, low + blank, high + blank
    return HalfCosines(middle, low, high, np.median(reliability, axis=0), mean, reliability.mean(axis=1))


def _quantiles(values: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Quantiles `[level, …]` along the first axis; the slow way that passes NaN over only where there are any."""
    result = np.quantile(values, levels, axis=0)
    holes = np.isnan(values).any(axis=0)
    result[:, holes] = np.nanquantile(values[:, holes], levels, axis=0)
    return result
