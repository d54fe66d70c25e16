"""Vectors whitened by a covariance that languages share, their own left out or not: (S + λI)⁻¹ μ."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve

RIDGE = 3.0  # λ, in mean eigenvalues of S
_TOLERANCE = 1e-4  # of what is left of the vector solved for
_MOST = 500  # steps; some 10 suffice, or 30 without the factor


def centred(rows: np.ndarray) -> np.ndarray:
    """Rows `[…, row, d]` about their mean."""
    return rows - rows.mean(axis=-2, keepdims=True, dtype=np.float64).astype(rows.dtype)


def whitening(differences: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A map of vectors `[…, d]` by (S + λI)^−½, so that inner products of what it returns are xᵀ (S + λI)⁻¹ y.

    S is the covariance of pair differences `[language, pair, d]` within languages, pooled over them, and λ is RIDGE
    times its mean eigenvalue. Raises ValueError for differences without variance.
    """
    rows = centred(differences.astype(np.float64))
    rows = rows.reshape(-1, rows.shape[-1]) / np.sqrt(rows.shape[0] * rows.shape[1])
    ridge = RIDGE * np.square(rows).sum() / rows.shape[1]
    if not ridge > 0:
        raise ValueError("expected differences that vary within a language, got none: there is nothing to whiten by")
    wide = len(rows) < rows.shape[1]  # then S + λI is λI but for the span of the rows
    values, basis = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    kept = values > 1e-10 * values[-1]
    values, basis = values[kept], basis[:, kept]
    axes = rows.T @ basis / np.sqrt(values) if wide else basis
    shrink = 1 - np.sqrt(ridge / (values + ridge))
    return lambda vectors: (vectors - (vectors @ axes * shrink) @ axes.T) / np.sqrt(ridge)


def whitened(rows: np.ndarray) -> Callable[[np.ndarray, np.ndarray, Sequence[int]], np.ndarray]:
    """A function of `train` `[row]`, means `[source, d]` and the places of their languages, that whitens these means.

    It returns (S + λI)⁻¹ μ `[target, source, d]` for reading each target. S is the covariance of the training rows of
    `rows` `[language, part, row, d]` about the means of their parts, pooled over all languages but the target, or over
    all for a source that reads itself; λ is RIDGE times its mean eigenvalue. A mean of 0 gives 0.

    Where d exceeds the number of rows, no matrix of d × d is made.
    """
    rows = centred(rows)  # means of the training rows are then small, and what they take off S is exact enough
    total = _products(rows) if rows.shape[-1] <= rows[..., 0].size else None

    def directions(train: np.ndarray, means: np.ndarray, sources: Sequence[int]) -> np.ndarray:
        inside = np.compress(train, rows, axis=2)  # laid out anew, which products need
        middle = inside.mean(axis=2, keepdims=True)
        off = (rows[:, :, ~train], float(train.sum()) ** 0.5 * middle)
        pooled = None if total is None else total - sum(_products(some) for some in off)
        inside -= middle
        return _solve(inside, pooled, means, sources)

    return directions


def _solve(rows: np.ndarray, pooled: np.ndarray | None, means: np.ndarray, sources: Sequence[int]) -> np.ndarray:
    """Conjugate gradients for all systems of `whitened` at once, on centred training rows.

    `pooled` are the summed products of all rows. Its factor comes near each system, since these differ by one language;
    without it, products with the rows do, in more steps.
    """
    flat, size = rows.reshape(-1, rows.shape[-1]), rows.shape[-1]
    left_out = (np.arange(len(rows))[:, None] != np.asarray(sources)).astype(rows.dtype)[..., None]
    variance = np.einsum("lprd,lprd->l", rows, rows)
    ridge = RIDGE / size * (variance.sum() - left_out * variance[:, None, None])
    factor = None if pooled is None else _factor(pooled, float(ridge.mean()))

    def product(vectors: np.ndarray) -> np.ndarray:
        lines = vectors.reshape(-1, size)
        shared = lines @ flat.T @ flat if pooled is None else lines @ pooled
        of_target = (vectors[:, None] @ rows.swapaxes(2, 3) @ rows).sum(axis=1)
        return shared.reshape(vectors.shape) - left_out * of_target + ridge * vectors

    def nearly(vectors: np.ndarray) -> np.ndarray:  # what solves for the covariance of all languages
        if factor is None:
            return vectors
        return cho_solve(factor, vectors.reshape(-1, size).T, check_finite=False).T.reshape(vectors.shape)

    rest = np.repeat(means[None].astype(rows.dtype), len(rows), axis=0)
    found, enough = np.zeros_like(rest), np.where(ridge > 0, _TOLERANCE**2 * _inner(rest, rest), np.inf)
    step = towards = nearly(rest)
    gain = _inner(rest, towards)
    for _ in range(_MOST):
        image = product(step)
        length = _ratio(gain, _inner(step, image))
        found += length * step
        rest -= length * image
        if (_inner(rest, rest) <= enough).all():
            break
        towards = nearly(rest)
        before, gain = gain, _inner(rest, towards)
        step = towards + _ratio(gain, before) * step
    return found * (len(flat) - left_out * (len(flat) // len(rows)))


def _products(rows: np.ndarray) -> np.ndarray:
    """Summed outer products `[d, d]` of rows `[…, d]`."""
    flat = rows.reshape(-1, rows.shape[-1])
    return flat.T @ flat


def _factor(pooled: np.ndarray, ridge: float) -> tuple[np.ndarray, bool]:
    """Cholesky factor of a covariance and a ridge; transposed, since LAPACK counts columns first."""
    matrix = pooled.copy()
    matrix.flat[:: len(matrix) + 1] += ridge or 1.0
    return cho_factor(matrix.T, lower=True, overwrite_a=True, check_finite=False)


def _inner(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one * other).sum(axis=-1, keepdims=True)


def _ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.divide(one, other, out=np.zeros_like(one), where=other > 0)
