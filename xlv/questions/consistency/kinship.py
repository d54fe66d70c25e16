"""Are related languages more consistent? Regressions of pairwise consistency with an effect of each language.

Consistency of s and t is here w_s w_t ⟨μ_s, μ_t⟩ with weights held fixed. Coefficients are then linear in the moments
and have intervals over situations; p-values permute languages.
"""

from typing import NamedTuple

import numpy as np

from xlv.questions.consistency.cosines import of_moments
from xlv.questions.consistency.moments import Moments
from xlv.statistics.jackknife import Replicated
from xlv.statistics.resampling import permuted

N_PERMUTATIONS = 4999


class Regression(NamedTuple):
    """The change of consistency per standard deviation of a predictor, and its two-sided p-value."""

    coefficient: Replicated
    p: float


def within(matrix: np.ndarray) -> np.ndarray:
    """What an additive effect of each language leaves of a symmetric matrix; the diagonal is not read, and zero."""
    n = len(matrix)
    off = np.where(np.eye(n, dtype=bool), 0.0, matrix)
    total = off.sum()
    effects = (off.sum(axis=1) - total / (2 * (n - 1))) / (n - 2)
    return np.where(np.eye(n, dtype=bool), 0.0, off - effects[:, None] - effects[None, :])


def regression(found: Moments, predictor: np.ndarray, beside: np.ndarray | None = None, *, seed: int = 0) -> Regression:
    """Regress pairwise consistency on a `predictor` `[language, language]`, beside another one and language effects.

    Over the readable languages, of which there must be five. Double semi-partialing: what language effects and `beside`
    leave of the predictor is permuted.
    """
    kept = np.flatnonzero(found.readable)
    cells = np.ix_(kept, kept)
    rest = within(predictor[cells])
    if beside is not None:
        other = within(beside[cells])
        rest = rest - other * (rest * other).sum() / np.square(other).sum()
    rest = rest * np.sqrt(len(kept) * (len(kept) - 1) / np.square(rest).sum())  # one standard deviation
    coefficients = np.zeros((2, *predictor.shape))
    for half, weights in enumerate(found.weights):
        pairwise = np.outer(weights, weights)[cells]
        coefficients[half][cells] = rest * pairwise / np.square(rest).sum() / 2
    consistency = within(of_moments(found).pairwise[cells])
    orders = permuted(len(rest), N_PERMUTATIONS, seed)
    first, second = np.triu_indices(len(rest), k=1)
    related = np.abs(rest[orders[:, first], orders[:, second]] @ consistency[first, second])
    p = (1 + int((related[1:] >= related[0] - 1e-12).sum())) / (1 + N_PERMUTATIONS)
    return Regression(found.linear(coefficients), p)
