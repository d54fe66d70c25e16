"""Who teaches and who is read: how accuracy changes from the least to the most resourced language.

U_A is, up to a factor, the difference of the two gradients and cancels where both rise; each of them does not.
"""

import numpy as np

from xlv.questions.transfer.one_way import additive
from xlv.statistics.jackknife import Replicated
from xlv.statistics.resampling import permuted

N_PERMUTATIONS = 9999


def scaled(ranks: np.ndarray) -> np.ndarray:
    """Ranks `[language]`, 0 the best resourced, as an order from 0, the least resourced, to 1, the most."""
    return 1 - np.argsort(np.argsort(ranks)) / max(1, len(ranks) - 1)


def source_coefficients(order: np.ndarray) -> np.ndarray:
    """Coefficients `[source, target]` whose sum over a matrix is its source gradient, at fixed targets.

    The slope on `order` `[language]` (0 to 1, richer is larger) in a regression with an effect per target, own cells
    left out; the target gradient is that of the transposed matrix. Zero for fewer than three languages.
    """
    n = len(order)
    if n < 3:
        return np.zeros((n, n))
    off = ~np.eye(n, dtype=bool)
    others = (order.sum() - order) / (n - 1)  # mean over the sources of a target
    centred = np.where(off, order[:, None] - others[None, :], 0.0)
    return centred / np.square(centred).sum()


def source_gradient(accuracy: Replicated, ranks: np.ndarray) -> Replicated:
    """Accuracy `[source, target]` gained from the poorest to the richest source, at fixed targets."""
    coefficients = source_coefficients(scaled(ranks))
    return accuracy.of(lambda a: (a * coefficients).sum(axis=(-2, -1)))


def target_gradient(accuracy: Replicated, ranks: np.ndarray) -> Replicated:
    """Accuracy `[source, target]` gained from the poorest to the richest target, at fixed sources."""
    return source_gradient(accuracy.of(lambda a: a.swapaxes(-2, -1)), ranks)


def partial_p(
    effects: np.ndarray, order: np.ndarray, beside: np.ndarray, *, n_permutations: int = N_PERMUTATIONS, seed: int = 0
) -> float:
    """Two-sided p-value of a slope of languages' `effects` on their `order`, a covariate `beside` partialled out.

    All `[language]`. Double semi-partialing (Dekker, Krackhardt and Snijders 2007): what the covariate leaves of the
    order is permuted, and the t statistics compared. NaN for fewer than five languages.
    """
    n = len(order)
    if n < 5:
        return float("nan")
    basis = np.linalg.svd(np.column_stack([np.ones(n), beside - np.mean(beside)]), full_matrices=False)
    basis = basis[0][:, basis[1] > 1e-9]  # a covariate that is the same everywhere leaves the mean alone
    rest = order - basis @ (basis.T @ order)
    inner, effects = rest[permuted(n, n_permutations, seed)], effects - basis @ (basis.T @ effects)
    inner = inner - inner @ basis @ basis.T
    norms = np.linalg.norm(inner, axis=1) * np.linalg.norm(effects)
    related = np.abs(np.divide(inner @ effects, norms, out=np.zeros(len(inner)), where=norms > 1e-12))
    return (1 + int((related[1:] >= related[0] - 1e-9).sum())) / (1 + n_permutations)


def gradient_p(accuracy: np.ndarray, order: np.ndarray, beside: np.ndarray, *, seed: int = 0) -> float:
    """`partial_p` of the source gradient of `[source, target]`: of the source effects of the additive model."""
    return partial_p(additive(accuracy).source, order, beside, seed=seed)


def triangle_p(accuracy: np.ndarray, order: np.ndarray, beside: np.ndarray, *, seed: int = 0) -> float:
    """`partial_p` of the one-way statistic U: of each language's mean of T to the others minus T from them."""
    own = np.diagonal(accuracy)
    lead = accuracy - accuracy.T + own[:, None] - own[None, :]
    return partial_p(lead.mean(axis=1), order, beside, seed=seed)
