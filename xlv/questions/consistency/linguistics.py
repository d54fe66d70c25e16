"""Do concept vectors keep the languages' relationships? Correlations with linguistic similarity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xlv.corpus.languages import linguistic_similarity
from xlv.statistics.resampling import interval, permuted


def composite_similarity(languages: Sequence[str]) -> np.ndarray:
    """Mean of genetic, syntactic and geographic similarity `[language, language]`, each in standard deviations.

    NaN where one of them is not known, or is the same for all.
    """
    kinds, off = linguistic_similarity(languages), ~np.eye(len(languages), dtype=bool)
    total = np.zeros(off.shape)
    for part in (kinds[kind] for kind in ("genetic", "syntactic", "geographic")):
        known = part[off & np.isfinite(part)]
        total += (part - known.mean()) / known.std() if len(set(known)) > 1 else np.nan
    return total / 3


@dataclass(frozen=True)
class Correlation:
    """Pearson correlations of consistency with one kind of linguistic similarity, and the number of pairs used.

    direct    over all language pairs
    split     mean of the correlation among pairs that touch a dominant language and among those that do not;
              NaN when either set has fewer than three pairs or no variance
    chance    central 95 % of `direct` when the language labels of the consistency are permuted: what chance gives
    """

    direct: float
    split: float
    n_pairs: int
    chance: tuple[float, float]


def correlation(
    consistency: np.ndarray, similarity: np.ndarray, dominant: np.ndarray, *, n_permutations: int = 2000, seed: int = 0
) -> Correlation:
    """Direct and split correlation (section 4.2) of `consistency` and `similarity`, both `[language, language]`.

    `dominant` `[language]` marks the dominant languages. Pairs in which either value is NaN are left out.
    """
    orders = permuted(len(consistency), n_permutations, seed)
    first, second = np.triu_indices(len(consistency), k=1)
    x, y = consistency[orders[:, first], orders[:, second]], similarity[first, second]
    touching, known = dominant[first] | dominant[second], np.isfinite(x) & np.isfinite(y)
    direct = _pearson(x, y, known)  # of the first draw, which is not permuted, and the others
    split = np.mean([_pearson(x[:1], y, known[:1] & part)[0] for part in (touching, ~touching)])
    return Correlation(float(direct[0]), float(split), int(known[0].sum()), interval(direct[1:]))


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
