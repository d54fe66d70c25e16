"""Concept vectors (difference in means) and the Gram matrices that hold every DiffMean analysis."""

from __future__ import annotations

import numpy as np


def concept_vectors(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """DiffMean: mean state of the positive texts minus that of the negative ones, not normalised (section 3.1).

    `positive`, `negative`: `[pair, …, d_model]`; returns `[…, d_model]`. Raises ValueError if they differ in shape.
    """
    if positive.shape != negative.shape:
        raise ValueError(f"expected as many positive as negative states, got {positive.shape} and {negative.shape}")
    return (positive.astype(np.float64) - negative.astype(np.float64)).mean(axis=0)


def pair_gram(differences: np.ndarray) -> np.ndarray:
    """Inner products of pair differences, `[language, pair, d_model]` → `[language, pair, language, pair]`.

    With d_i = h(pos_i) − h(neg_i), a concept vector is a mean of d_j over training pairs j, so these numbers hold
    every held-out margin, accuracy, norm and cosine of DiffMean under any fold or resampling.
    """
    n_languages, n_pairs, _ = differences.shape
    flat = np.ascontiguousarray(differences, dtype=np.float32).reshape(n_languages * n_pairs, -1)
    return (flat @ flat.T).reshape(n_languages, n_pairs, n_languages, n_pairs)
