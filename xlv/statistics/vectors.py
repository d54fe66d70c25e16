"""Concept vectors (difference in means) and the pair differences that they are made of."""

from collections.abc import Callable, Mapping

import numpy as np

Layers = Callable[[int], np.ndarray]  # layer 1 … L → states [language, example, d_model], positive examples first


def concept_vectors(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """DiffMean: mean state of the positive texts minus that of the negative ones, not normalised (section 3.1).

    `positive`, `negative`: `[pair, …, d_model]`; returns `[…, d_model]`. Raises ValueError if they differ in shape.
    """
    if positive.shape != negative.shape:
        raise ValueError(f"expected as many positive as negative states, got {positive.shape} and {negative.shape}")
    return (positive.astype(np.float64) - negative.astype(np.float64)).mean(axis=0)


def pair_differences(states: object, axes: str) -> np.ndarray:
    """Differences of pairs `[language, pair, …]` of `states` `[language, example, …]`, positive examples first.

    States are an array of NumPy or PyTorch, or one per language in a list or by language. Raises ValueError for others.
    """
    states = [*states.values()] if isinstance(states, Mapping) else states
    several = isinstance(states, list | tuple)
    plain = [
        part.detach().cpu().float() if hasattr(part, "detach") else part for part in (states if several else [states])
    ]
    arrays = [np.asarray(part) for part in plain]
    array = arrays[0] if not several else np.stack(arrays) if len({a.shape for a in arrays}) == 1 else np.empty(0)
    half = array.shape[1] // 2 if array.ndim == axes.count(",") + 1 else 0
    if not half or array.shape[1] % 2 or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"expected finite states [{axes}], positive examples first, got shape {array.shape}")
    return array[:, :half] - array[:, half:]


def differences_of(states: Layers, pairs: np.ndarray | slice = slice(None)) -> Layers:
    """Layer by layer the differences `[language, pair, d_model]` of these pairs."""

    def read(layer: int) -> np.ndarray:
        here = states(layer)
        half = here.shape[1] // 2
        return here[:, :half][:, pairs] - here[:, half:][:, pairs]

    return read


def hits(margins: np.ndarray) -> np.ndarray:
    """1 where a positive text projects higher than its negative one, ½ where they tie, 0 where lower; NaN stays NaN."""
    return np.sign(margins).astype(float) * 0.5 + 0.5


def own(matrix: np.ndarray) -> np.ndarray:
    """Of `[source, target, …]` the diagonal `[language, …]`: each language's own vector on its own pairs."""
    return np.moveaxis(np.diagonal(matrix), -1, 0)


def own_gram(differences: np.ndarray) -> np.ndarray:
    """Inner products of a language's own pair differences, `[language, pair, d_model]` → `[language, pair, pair]`."""
    flat = np.ascontiguousarray(differences, dtype=np.float32)
    return np.matmul(flat, flat.transpose(0, 2, 1))


def midpoint(harmful: np.ndarray, harmless: np.ndarray) -> float:
    """The threshold of a gate: half-way between the means of the projections of two kinds of prompt; NaN left out."""
    return float((np.nanmean(harmful) + np.nanmean(harmless)) / 2)


def separation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """d′ of values `[example, …]` of two kinds: difference of means over the pooled standard deviation."""
    spread = np.sqrt((one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / 2)
    return (one.mean(axis=0) - other.mean(axis=0)) / np.maximum(spread, np.finfo(float).tiny)
