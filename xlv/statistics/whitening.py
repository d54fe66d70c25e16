"""Vectors whitened by a covariance that languages share: (S + λI)⁻¹ μ."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg

RIDGE = 3.0  # λ, in mean eigenvalues of S


def principal_axes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right singular vectors `[d, axis]` of `rows` `[row, d]` and singular values, largest first; those not nil.

    By the smaller of the two matrices of inner products, many times as fast as the whole decomposition; double
    precision makes up for the squaring.
    """
    rows = rows.astype(np.float64)
    wide = len(rows) < rows.shape[1]
    squares, basis = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    scale, basis = np.sqrt(np.maximum(squares[::-1], 0)), basis[:, ::-1]
    kept = scale > 1e-5 * scale[0]
    return rows.T @ (basis[:, kept] / scale[kept]) if wide else basis[:, kept], scale[kept]


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


def whitened(rows: np.ndarray) -> Callable[[np.ndarray, np.ndarray, Sequence[int]], np.ndarray]:
    """A function of `train` `[row]`, means `[source, d]` and their languages' places, which whitens them by `rows`.

    It returns directions (S + λI)⁻¹ μ `[target, source, d]`, up to their length. S is the covariance of the training
    rows of `rows` `[language, part, row, d]` about the means of their parts, pooled over all languages but the target,
    or over all for a source that reads itself; λ is RIDGE times its mean eigenvalue.
    """
    rows = rows - rows.mean(axis=2, keepdims=True)  # so that what other rows are taken off below is no larger
    total = _products(rows) if rows.shape[-1] <= rows[..., 0].size else None  # no d × d where the rows are fewer

    def directions(train: np.ndarray, means: np.ndarray, sources: Sequence[int]) -> np.ndarray:
        inside = np.compress(train, rows, axis=2)
        middle = inside.mean(axis=2, keepdims=True)
        off = () if total is None else (_products(rows[:, :, ~train]), int(train.sum()) * _products(middle))
        return _solved(inside - middle, None if total is None else total - sum(off), means, sources)

    return directions


def _products(rows: np.ndarray) -> np.ndarray:
    """Summed outer products `[d, d]` of rows `[…, d]`."""
    flat = rows.reshape(-1, rows.shape[-1])
    return flat.T @ flat


def _solved(rows: np.ndarray, pooled: np.ndarray | None, means: np.ndarray, sources: Sequence[int]) -> np.ndarray:
    """`whitened` by conjugate gradients, all targets and sources at once, from centred rows and their `_products`.

    Covariances that leave one language out differ little from the whole, whose factor makes 5 steps do; without it,
    products with the rows take some 30.
    """
    lines, size = rows.reshape(-1, rows.shape[-1]), rows.shape[-1]
    left_out = (np.arange(len(rows))[:, None, None] != np.asarray(sources)[:, None]).astype(rows.dtype)
    variance = np.einsum("lprd,lprd->l", rows, rows)
    ridge = RIDGE / size * (variance.sum() - left_out * variance[:, None, None])
    ridge += ridge == 0
    shape, wanted = (len(rows), *means.shape), means / np.linalg.norm(means, axis=-1, keepdims=True).clip(1e-30)

    def product(vectors: np.ndarray) -> np.ndarray:
        flat, vectors = vectors.reshape(-1, size), vectors.reshape(shape)
        shared = (flat @ lines.T @ lines if pooled is None else flat @ pooled).reshape(shape)
        of_target = (vectors[:, None] @ rows.swapaxes(2, 3) @ rows).sum(axis=1)
        return (shared - left_out * of_target + ridge * vectors).ravel()

    def operator(apply: Callable[[np.ndarray], np.ndarray]) -> LinearOperator:
        return LinearOperator((np.prod(shape),) * 2, apply, dtype=rows.dtype)

    near = None
    if pooled is not None:  # transposed, since LAPACK counts columns first
        factor = cho_factor((pooled + ridge.mean() * np.eye(size, dtype=rows.dtype)).T, lower=True, overwrite_a=True)
        near = operator(lambda vectors: cho_solve(factor, vectors.reshape(-1, size).T).T.ravel())
    wanted = np.repeat(wanted[None], len(rows), axis=0).astype(rows.dtype)
    return cg(operator(product), wanted.ravel(), rtol=1e-4, maxiter=500, M=near)[0].reshape(shape)
