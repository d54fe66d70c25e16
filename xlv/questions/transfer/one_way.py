"""Transferability: does another language's vector read a language better than its own, and in which direction?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xlv.statistics.resampling import Estimate


def transferability(accuracy: np.ndarray) -> np.ndarray:
    """T = Acc[source → target] − Acc[target → target], `[…, source, target]` (section 3.4); zero on the diagonal.

    An array or a labelled array with these axes last gives one of the same kind, a dataset of `recognition` that of its
    accuracies, several by model one each. Raises ValueError for anything else.
    """
    if isinstance(accuracy, Mapping) and "accuracy" not in accuracy:
        return {name: transferability(each) for name, each in accuracy.items()}
    accuracy = accuracy["accuracy"] if isinstance(accuracy, Mapping) else accuracy
    values, axes = np.asarray(accuracy), getattr(accuracy, "dims", ("source", "target"))[-2:]
    if values.ndim < 2 or values.shape[-1] != values.shape[-2] or axes != ("source", "target"):
        raise ValueError(f"expected accuracies [source, target], the same languages twice, got shape {values.shape}")
    own = np.diagonal(values, axis1=-2, axis2=-1)
    return accuracy - own[..., None, :]


@dataclass(frozen=True)
class OneWay:
    """How one-sided transfer is, from higher- to lower-resourced languages.

    total      U   = mean of T_ij − T_ji over pairs with i the higher-resourced
    crossing   U_A = mean of A_ij − A_ji: what is left when the targets' own accuracies cancel
    own        U_D = mean of A_ii − A_jj: how much better the higher-resourced read themselves; U = U_A + U_D
    """

    total: np.ndarray
    crossing: np.ndarray
    own: np.ndarray


def one_way(accuracy: np.ndarray, ranks: np.ndarray) -> OneWay:
    """The one-way statistics of accuracies `[…, source, target]`; `ranks` `[language]`, 0 the best. NaN for one."""
    if len(ranks) < 2:
        return OneWay(*[np.full(accuracy.shape[:-2], np.nan)] * 3)
    high, low = np.triu_indices(len(ranks), k=1)
    order = np.argsort(ranks)
    high, low = order[high], order[low]
    crossing = (accuracy[..., high, low] - accuracy[..., low, high]).mean(axis=-1)
    own = (accuracy[..., high, high] - accuracy[..., low, low]).mean(axis=-1)
    return OneWay(crossing + own, crossing, own)


PARTS = {"U": "total", "U_A": "crossing", "U_D": "own"}


def one_way_estimates(accuracy: Estimate, ranks: np.ndarray) -> dict[str, Estimate]:
    """U, U_A and U_D with their resamples, of accuracies `[source, target]`: what every page and the ledger read."""
    found, drawn = one_way(accuracy.value, ranks), one_way(accuracy.samples, ranks)
    return {symbol: Estimate(getattr(found, name), getattr(drawn, name)) for symbol, name in PARTS.items()}


def among(accuracy: Estimate, ranks: np.ndarray, kept: np.ndarray) -> tuple[Estimate, np.ndarray]:
    """Accuracies and ranks of some languages only."""
    return accuracy.of(lambda a: a[..., kept[:, None], kept]), ranks[kept].argsort().argsort()


def permutation_p(accuracy: np.ndarray, ranks: np.ndarray, *, n_permutations: int = 5000, seed: int = 0) -> float:
    """One-sided p-value of U under permuted language labels (QAP): is transfer one-way *in the resource order*?"""
    if len(ranks) < 2:
        return float("nan")
    generator, own = np.random.default_rng(seed), np.diagonal(accuracy)
    lead = accuracy - accuracy.T + own[:, None] - own[None, :]  # of i over j: U is its mean where i is the higher
    orders = np.stack([ranks, *(generator.permutation(ranks) for _ in range(n_permutations))])
    above = orders[:, :, None] < orders[:, None, :]
    drawn = np.tensordot(above, lead, axes=2)
    return (1 + int((drawn[1:] >= drawn[0] - 1e-9).sum())) / (1 + n_permutations)


def dominant_contrast(accuracy: np.ndarray, dominant: int) -> np.ndarray:
    """How much better one language's vectors read the others than the others' vectors read each other.

    Mean of A[dominant → t] over t, minus the mean of A[s → t] over s ≠ t, neither dominant; `accuracy`
    `[…, source, target]` gives `[…]`. It is conditional on these languages: only pairs are resampled in its interval.
    NaN where there are fewer than two other languages.
    """
    others = np.delete(np.arange(accuracy.shape[-1]), dominant)
    if len(others) < 2:
        return np.full(accuracy.shape[:-2], np.nan)
    among = accuracy[..., others[:, None], others]
    apart = ~np.eye(len(others), dtype=bool)
    return accuracy[..., dominant, others].mean(axis=-1) - among[..., apart].mean(axis=-1)


@dataclass(frozen=True)
class Additive:
    """A[s → t] = mean + source[s] + target[t] + rest, off the diagonal, effects summing to zero; least squares.

    `explained` is the share of the variance off the diagonal that source and target effects account for.
    """

    mean: float
    source: np.ndarray
    target: np.ndarray
    explained: float


def additive(accuracy: np.ndarray) -> Additive:
    """The additive model of accuracies between languages: how well each teaches, how well each is read.

    The diagonal stays out, so that no language's own accuracy is explained by itself (the difficulty of Appendix H.1:
    T contains Acc of the target, and a regression of one on the other finds it). Effects are NaN below 3 languages.
    """
    n = len(accuracy)
    source, target = np.nonzero(~np.eye(n, dtype=bool))
    values = accuracy[source, target]
    if n < 3:
        return Additive(float(values.mean()), *np.full((2, n), np.nan), float("nan"))
    design = np.concatenate([np.eye(n)[source], np.eye(n)[target]], axis=1)
    fitted = np.linalg.lstsq(design, values - values.mean(), rcond=None)[0]  # the least-norm solution sums to zero
    rest = values - values.mean() - design @ fitted
    spread = np.square(values - values.mean()).sum()
    explained = float(1 - np.square(rest).sum() / spread) if spread > 0 else float("nan")
    return Additive(float(values.mean()), fitted[:n] - fitted[:n].mean(), fitted[n:] - fitted[n:].mean(), explained)
