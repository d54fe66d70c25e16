"""Do concept vectors keep the languages' relationships? Correlations with linguistic similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Correlation:
    """Pearson correlations of consistency with one kind of linguistic similarity, and the number of pairs used.

    direct  over all language pairs
    split   mean of the correlation among pairs that touch a dominant language and among those that do not;
            NaN when either set has fewer than three pairs or no variance
    """

    direct: float
    split: float
    n_pairs: int


def correlation(consistency: np.ndarray, similarity: np.ndarray, dominant: np.ndarray) -> Correlation:
    """Direct and split correlation (section 4.2) of `consistency` and `similarity`, both `[language, language]`.

    `dominant` `[language]` marks the dominant languages. Pairs in which either value is NaN are left out.
    """
    first, second = np.triu_indices(len(consistency), k=1)
    x, y = consistency[first, second], similarity[first, second]
    known = np.isfinite(x) & np.isfinite(y)
    touching = dominant[first] | dominant[second]
    parts = [_pearson(x[known & part], y[known & part]) for part in (touching, ~touching)]
    return Correlation(_pearson(x[known], y[known]), float(np.mean(parts)), int(known.sum()))


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def permutation_interval(
    consistency: np.ndarray,
    similarity: np.ndarray,
    dominant: np.ndarray,
    *,
    n_permutations: int = 2000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Central 95 % of each correlation when the language labels of `consistency` are permuted: what chance gives."""
    generator = np.random.default_rng(seed)
    draws = []
    for _ in range(n_permutations):
        order = generator.permutation(len(consistency))
        result = correlation(consistency[np.ix_(order, order)], similarity, dominant)
        draws.append((result.direct, result.split))
    direct, split = np.array(draws).T
    return {
        name: tuple(np.nanquantile(values, [0.025, 0.975])) if np.isfinite(values).any() else (np.nan, np.nan)
        for name, values in (("direct", direct), ("split", split))
    }
