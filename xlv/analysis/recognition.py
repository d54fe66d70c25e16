"""Recognition accuracy: how well one language's concept vector tells another's positive texts from the negative.

All functions take, layer by layer, the Gram matrix `[source, pair, target, pair]` of `vectors.pair_gram`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from xlv.analysis.statistics import partitions

N_FOLDS = 8
N_PARTITIONS = 10


@dataclass(frozen=True)
class Recognition:
    """What a protocol finds for one concept.

    accuracy  `[source, target, layer]` share of held-out pairs recognised at every layer
    correct   `[source, target, pair]`  the same at the chosen layer, a pair at a time (NaN: not a test pair)
    margin    `[source, target, pair]`  its margins there, in units of their root mean square over pairs
    layer     `[source, target]`        the chosen layer (1 … L), the median over folds where these differ
    """

    accuracy: np.ndarray
    correct: np.ndarray
    margin: np.ndarray
    layer: np.ndarray

    @property
    def chosen(self) -> np.ndarray:
        """Accuracy `[source, target]` at the chosen layer."""
        return np.nanmean(self.correct, axis=-1)


def hits(margins: np.ndarray) -> np.ndarray:
    """1 where a positive text projects higher than its negative one, ½ where they tie, else 0."""
    return (margins > 0) + 0.5 * (margins == 0)


def _mean_weights(allowed: np.ndarray) -> np.ndarray:
    """Rows of weights that average over the allowed pairs, `[…, test pair, training pair]`."""
    count = allowed.sum(axis=-1, keepdims=True)
    return np.divide(allowed, count, out=np.zeros(allowed.shape, dtype=np.float32), where=count > 0)


def _margins(gram: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Margins `[…, source, target, pair]` of each pair on the vector that its row of weights averages."""
    n_sources, n_pairs, n_targets, _ = gram.shape
    by_pair = np.ascontiguousarray(gram.transpose(3, 1, 0, 2)).reshape(n_pairs, n_pairs, n_sources * n_targets)
    rows = weights.reshape(-1, n_pairs, n_pairs).transpose(1, 0, 2)
    margins = np.matmul(rows, by_pair)  # [pair, weights, source × target]
    return margins.transpose(1, 2, 0).reshape(*weights.shape[:-2], n_sources, n_targets, n_pairs)


def _selection_score(gram: np.ndarray, folds: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Standardised inner margin `[partition, fold, source]`: each training pair on the others of other groups.

    Accuracy inside the training pairs saturates and ties; the mean margin over its deviation does not.
    """
    n_partitions, n_pairs = folds.shape
    n_sources = len(gram)
    own = np.stack([gram[s, :, s, :] for s in range(n_sources)])  # [source, training pair, pair]
    apart = groups[:, None] != groups[None, :]
    scores = np.full((n_partitions, int(folds.max()) + 1, n_sources), -np.inf)
    for p in range(n_partitions):
        for fold in range(int(folds[p].max()) + 1):
            train = np.flatnonzero(folds[p] != fold)
            weights = _mean_weights(apart[np.ix_(train, train)])
            inner = np.einsum("ij,sji->si", weights, own[:, train][:, :, train])
            spread = inner.std(axis=1)
            scores[p, fold] = np.divide(inner.mean(axis=1), spread, out=np.zeros(n_sources), where=spread > 0)
    return scores


def cross_validated(
    grams: Iterable[np.ndarray],
    groups: np.ndarray,
    *,
    signs: np.ndarray | None = None,
    n_partitions: int = N_PARTITIONS,
    seed: int = 0,
) -> Recognition:
    """Protocol `cv`: out-of-fold margins, folds by group and the same in all languages.

    The layer is chosen per source, partition and fold on the source's own training pairs, and layer L, which
    lies behind the final norm, is not eligible; target labels never enter. `signs` `[pair]` of ±1 flips labels,
    in training and test alike, for a null distribution. Ties count ½. Raises ValueError for fewer than two groups.
    """
    folds = partitions(groups, n_folds=N_FOLDS, n_partitions=n_partitions, seed=seed)
    weights = _mean_weights(folds[:, :, None] != folds[:, None, :])
    margins, scores = [], []
    for gram in grams:
        if signs is not None:
            gram = gram * signs[None, :, None, None] * signs
        margins.append(_margins(gram, weights).astype(np.float32))
        scores.append(_selection_score(gram, folds, groups))
    margins, scores = np.stack(margins), np.stack(scores)  # [layer, partition, …]
    choice = scores[: max(1, len(scores) - 1)].argmax(axis=0)  # [partition, fold, source]
    n_partitions, n_pairs = folds.shape
    layer = choice[np.arange(n_partitions)[:, None], folds]  # [partition, pair, source]
    at = np.ix_(np.arange(n_partitions), np.arange(margins.shape[2]), np.arange(margins.shape[3]), np.arange(n_pairs))
    chosen = margins[(layer.transpose(0, 2, 1)[:, :, None, :], *at)]
    scale = np.sqrt(np.square(chosen, dtype=np.float64).mean(axis=-1, keepdims=True))
    return Recognition(
        accuracy=hits(margins).mean(axis=(1, 4)).transpose(1, 2, 0),
        correct=hits(chosen).mean(axis=0),
        margin=np.divide(chosen, scale, out=np.zeros(chosen.shape), where=scale > 0).mean(axis=0),
        layer=np.repeat(np.median(layer, axis=(0, 1)).round().astype(int)[:, None] + 1, margins.shape[3], axis=1),
    )


def paper_split(n_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test pairs of the authors' code: shuffled with Python's seed 1, the first 80 % for training."""
    order = list(range(n_pairs))
    random.seed(1)
    random.shuffle(order)
    cut = int(n_pairs * 0.8)
    return np.array(order[:cut]), np.array(order[cut:])


def as_published(grams: Iterable[np.ndarray]) -> Recognition:
    """Protocol `paper`: one 80/20 split, and the layer with the best *test* accuracy for each source and target.

    What the authors' code does; optimistic, since the layer is chosen on the pairs it is reported on. Ties count
    as right. Raises ValueError for fewer than two pairs.
    """
    margins = []
    for gram in grams:
        n_pairs = gram.shape[1]
        if n_pairs < 2:
            raise ValueError(f"expected at least 2 pairs to split, got {n_pairs}")
        train, test = paper_split(n_pairs)
        margins.append(gram[:, train][..., test].mean(axis=1))
    margins = np.stack(margins)  # [layer, source, target, test pair]
    right = margins >= 0
    best = right.mean(axis=-1).argmax(axis=0)
    source, target = np.indices(best.shape)
    correct = np.full((*best.shape, n_pairs), np.nan)
    margin = correct.copy()
    correct[..., test] = right[best, source, target]
    chosen = margins[best, source, target]
    scale = np.sqrt(np.square(chosen).mean(axis=-1, keepdims=True))
    margin[..., test] = np.divide(chosen, scale, out=np.zeros_like(chosen), where=scale > 0)
    return Recognition(right.mean(axis=-1).transpose(1, 2, 0), correct, margin, best + 1)


PROTOCOLS = {"cv": cross_validated, "paper": as_published}
