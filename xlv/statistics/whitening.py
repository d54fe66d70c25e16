"""Vectors whitened by a covariance that languages share: (S + λI)⁻¹ μ."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg

RIDGE = 3.0  # λ, in mean eigenvalues of S


def principal_axes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right singular vectors `[d, axis]` and values of `rows` `[row, d]`, largest first, those not nil."""
    rows = rows.astype(np.float64)
    wide = len(rows) < rows.shape[1]
    squares, basis = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)  # the smaller one, for speed
    kept = np.flatnonzero(squares > 1e-10 * squares[-1])[::-1]
    scale, basis = np.sqrt(squares[kept]), basis[:, kept]
    return rows.T @ (basis / scale) if wide else basis, scale


def whitening(differences: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A map of vectors `[…, d]` by (S + λI)^−½, so that inner products of what it returns are xᵀ (S + λI)⁻¹ y.

    S is the covariance of pair differences `[language, pair, d]` within languages, pooled over them, and λ is RIDGE
    times its mean eigenvalue. Raises ValueError for differences without variance.
    """
    rows = (differences - differences.mean(axis=1, keepdims=True)).reshape(-1, differences.shape[-1])
    axes, scale = principal_axes(rows)
    if not len(scale):
        raise ValueError("expected differences that vary within a language, got none: there is nothing to whiten by")
    variance = scale**2 / len(rows)
    ridge = RIDGE * variance.sum() / len(axes)
    shrink = 1 - np.sqrt(ridge / (variance + ridge))  # off the axes S + λI is λI
    return lambda vectors: (vectors - (vectors @ axes * shrink) @ axes.T) / np.sqrt(ridge)


def whitened(rows: np.ndarray, means: np.ndarray, sources: Sequence[int]) -> np.ndarray:
    """Directions (S + λI)⁻¹ μ `[target, source, d]`, up to a factor, of means `[source, d]` of these languages.

    S is the covariance of `rows` `[language, part, row, d]` about the means of their parts, pooled over all languages
    but the target, or over all for a source that reads itself; λ is RIDGE times its mean eigenvalue.

    Conjugate gradients, all at once: without one language the covariance is much the same, so the factor of the whole
    makes some 5 steps do. Where rows are fewer than d it is that of their inner products (Woodbury's dual form).
    """
    rows = rows - rows.mean(axis=2, keepdims=True, dtype=np.float64).astype(rows.dtype)
    lines, size, shape = rows.reshape(-1, rows.shape[-1]), rows.shape[-1], (len(rows), *means.shape)
    dual = len(lines) < size
    pooled = lines @ lines.T if dual else lines.T @ lines
    left_out = (np.arange(len(rows))[:, None, None] != np.asarray(sources)[:, None]).astype(rows.dtype)
    variance = np.einsum("lprd,lprd->l", rows, rows)
    ridge = RIDGE / size * (variance.sum() - left_out * variance[:, None, None])
    ridge += ridge == 0

    def product(vectors: np.ndarray) -> np.ndarray:
        flat, vectors = vectors.reshape(-1, size), vectors.reshape(shape)
        shared = (flat @ lines.T @ lines if dual else flat @ pooled).reshape(shape)
        of_target = (vectors[:, None] @ rows.swapaxes(2, 3) @ rows).sum(axis=1)
        return (shared - left_out * of_target + ridge * vectors).ravel()

    def nearly(vectors: np.ndarray) -> np.ndarray:
        flat = vectors.reshape(-1, size)
        solved = cho_solve(factor, lines @ flat.T if dual else flat.T).T
        return (flat - solved @ lines if dual else solved).ravel()

    # transposed, since LAPACK counts columns first
    factor = cho_factor((pooled + ridge.mean() * np.eye(len(pooled), dtype=rows.dtype)).T, lower=True, overwrite_a=True)
    wanted = means / np.linalg.norm(means, axis=-1, keepdims=True).clip(1e-30)
    wanted = np.repeat(wanted[None], len(rows), axis=0).astype(rows.dtype).ravel()
    product, nearly = (LinearOperator((wanted.size,) * 2, apply, dtype=rows.dtype) for apply in (product, nearly))
    return cg(product, wanted, rtol=1e-4, maxiter=500, M=nearly)[0].reshape(shape)
