"""Consistency: how alike the vectors of one concept are in two languages, as the paper has it and without noise."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from xlv.questions.consistency.moments import Moments, moments
from xlv.questions.consistency.pooled import pooled
from xlv.statistics.resampling import group_indices
from xlv.statistics.vectors import pair_differences


@dataclass(frozen=True)
class Consistency:
    """How alike a concept's vectors are in all languages, without the noise of few pairs.

    rho, low, high  pooled consistency ρ with its 95 % interval; NaN unless each half reads two languages
    pairwise        `[source, target]` w_s w_t ⟨μ_s, μ_t⟩, mean over both halves; NaN where a language is not readable
    readable        `[language]` marks of the languages whose vector stands out from noise in both halves
    """

    rho: float
    low: float
    high: float
    pairwise: np.ndarray
    readable: np.ndarray


def cosines(vectors: np.ndarray) -> np.ndarray:
    """Plain cosine `[source, target]` of vectors `[language, d_model]`, as in the paper (section 3.3)."""
    norm = np.linalg.norm(vectors, axis=-1)
    return vectors @ vectors.T / np.outer(norm, norm)


def of_moments(found: Moments) -> Consistency:
    """The consistency that moments come to."""
    rho = pooled(found).linearised()
    if np.isfinite(found.weights).sum(axis=1).min() < 2:
        rho = rho.plus(np.nan)
    each = [half.value * np.outer(w, w) for half, w in zip(found.products, found.weights, strict=True)]
    return Consistency(float(rho.value), *map(float, rho.interval()), np.mean(each, axis=0), found.readable)


def consistency(states: np.ndarray, groups: Sequence[Hashable] | None = None, *, seed: int = 0) -> Consistency:
    """How alike a concept's vectors are in two languages, at one layer (section 3.3), without the noise of few pairs.

    `states` `[language, example, d_model]`, positive examples first, the pairs parallel over languages; `groups` names
    the situation of each pair (None: each pair is its own). Raises ValueError for fewer than four groups.
    """
    differences = pair_differences(states, "language, example, d_model")
    named = group_indices(range(differences.shape[1]) if groups is None else groups)
    if len(named) != differences.shape[1]:
        raise ValueError(f"expected a group for each of {differences.shape[1]} pairs, got {len(named)}")
    return of_moments(moments([differences] * 2, named, seed))
