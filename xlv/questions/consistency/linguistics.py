"""Do concept vectors keep the languages' relationships? Correlations with linguistic similarity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xlv.statistics.resampling import interval


@dataclass(frozen=True)
class Correlation:
    """Pearson correlations of consistency with one kind of linguistic similarity, and the number of pairs used.

    direct    over all language pairs
    split     mean of the correlation among pairs that touch a dominant language and among those that do not;
              NaN when either set has fewer than three pairs or no variance
    chance    central 95 % of `direct` when the language labels of the consistency are permuted: what chance gives
    excess_p  one-sided p-value of split − direct under the same permutations; NaN if undefined
    """

    direct: float
    split: float
    n_pairs: int
    chance: tuple[float, float]
    excess_p: float


def correlation(
    consistency: np.ndarray, similarity: np.ndarray, dominant: np.ndarray, *, n_permutations: int = 2000, seed: int = 0
) -> Correlation:
    """Direct and split correlation (section 4.2) of `consistency` and `similarity`, both `[language, language]`.

    `dominant` `[language]` marks the dominant languages. Pairs in which either value is NaN are left out.
    """
    generator, n = np.random.default_rng(seed), len(consistency)
    orders = np.stack([np.arange(n), *(generator.permutation(n) for _ in range(n_permutations))])
    first, second = np.triu_indices(n, k=1)
    x, y = consistency[orders[:, first], orders[:, second]], similarity[first, second]
    touching, known = dominant[first] | dominant[second], np.isfinite(x) & np.isfinite(y)
    direct = _pearson(x, y, known)  # of the first draw, which is not permuted, and the others
    split = np.mean([_pearson(x, y, known & part) for part in (touching, ~touching)], axis=0)
    excess = split - direct
    reached = ~(excess[1:] < excess[0] - 1e-12)  # an undefined draw counts against the claim
    p = (1 + int(reached.sum())) / (1 + n_permutations) if np.isfinite(excess[0]) else float("nan")
    return Correlation(float(direct[0]), float(split[0]), int(known[0].sum()), interval(direct[1:]), p)


def _pearson(x: np.ndarray, y: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Pearson correlation of each row over its known pairs; NaN for fewer than three, or without variance."""
    count = known.sum(axis=1)
    least = np.maximum(count, 1)[:, None]
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    x = np.where(known, x - x.sum(axis=1, keepdims=True) / least, 0.0)
    y = np.where(known, y - y.sum(axis=1, keepdims=True) / least, 0.0)
    spread = np.sqrt(np.square(x).sum(axis=1) * np.square(y).sum(axis=1))
    defined = (count >= 3) & (spread > 1e-12)
    return np.divide((x * y).sum(axis=1), spread, out=np.full(len(x), np.nan), where=defined)


@dataclass(frozen=True)
class Partial:
    """Standardised coefficient of a similarity beside its covariates, and its two-sided permutation p-value."""

    coefficient: float
    p: float
    n_pairs: int


def mrqap(
    consistency: np.ndarray,
    similarity: np.ndarray,
    covariates: Sequence[np.ndarray],
    *,
    n_permutations: int = 2000,
    seed: int = 0,
) -> Partial:
    """Multiple regression of `consistency` on `similarity` and covariates, all `[language, language]`.

    Tested by double semi-partialing (Dekker, Krackhardt and Snijders 2007): the part of the similarity that the
    covariates leave is permuted by language, and the t statistic compared. Pairs with a NaN anywhere are left out;
    a similarity that its covariates explain wholly, or too few pairs, give NaN.
    """
    first, second = np.triu_indices(len(consistency), k=1)
    columns = [matrix[first, second] for matrix in (consistency, similarity, *covariates)]
    known = np.isfinite(columns).all(axis=0)
    n_pairs = int(known.sum())
    if n_pairs < len(columns) + 3:
        return Partial(float("nan"), float("nan"), n_pairs)
    y, x, *others = (_standard(column[known]) for column in columns)
    beside = np.column_stack([np.ones(n_pairs), *others])
    rest = x - beside @ np.linalg.lstsq(beside, x, rcond=None)[0]
    if np.ptp(y) == 0 or np.square(rest).sum() < 1e-9:
        return Partial(float("nan"), float("nan"), n_pairs)
    matrix = np.full(consistency.shape, np.nan)
    matrix[first[known], second[known]] = matrix[second[known], first[known]] = rest
    observed = _t_statistic(y, rest, beside)
    generator, reached, tried = np.random.default_rng(seed), 0, 0
    for _ in range(n_permutations):
        order = generator.permutation(len(matrix))
        drawn = matrix[np.ix_(order, order)][first[known], second[known]]
        there = np.isfinite(drawn)
        if there.sum() >= len(columns) + 3:
            tried += 1
            reached += abs(_t_statistic(y[there], drawn[there], beside[there])) >= abs(observed) - 1e-9
    coefficient = float(rest @ y / (rest @ rest))
    return Partial(coefficient, (1 + reached) / (1 + tried), n_pairs)


def _standard(column: np.ndarray) -> np.ndarray:
    spread = column.std()
    return (column - column.mean()) / spread if spread > 0 else np.zeros_like(column)


def _t_statistic(y: np.ndarray, x: np.ndarray, beside: np.ndarray) -> float:
    basis = np.linalg.qr(beside)[0]
    y, x = y - basis @ (basis.T @ y), x - basis @ (basis.T @ x)
    inner = x @ x
    if inner < 1e-12:
        return 0.0
    slope = x @ y / inner
    spare = len(y) - beside.shape[1] - 1
    error = np.square(y - slope * x).sum() / spare / inner
    return float(slope / np.sqrt(error)) if error > 0 else float(np.sign(slope) * np.inf)
