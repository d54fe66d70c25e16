"""Recognition accuracy: how well one language's concept vector tells another's positive texts from the negative.

All functions take, layer by layer, the Gram matrix `[source, pair, target, pair]` of `vectors.pair_gram`.
"""

import random
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from xlv.statistics.resampling import N_RESAMPLES, bootstrap_weights, group_indices, partitions
from xlv.statistics.vectors import Layers, hits, own, pair_differences, pair_gram

N_FOLDS = 8
N_PARTITIONS = 10
CURVE = (4, 8, 16, 32, 48)  # numbers of training pairs


@dataclass(frozen=True)
class Recognition:
    """What a protocol finds for one concept.

    accuracy  `[source, target, layer]` share of held-out pairs recognised at every layer
    correct   `[source, target, pair]`  the same at the chosen layer, a pair at a time (NaN: not a test pair)
    margin    `[source, target]`        its mean margin there, in units of the root mean square over pairs; only `cv`
    layer     `[source, target]`        the chosen layer (1 … L), the median over folds where these differ
    by_layer  `[layer, pair]`          hits of own vectors at every layer, mean over languages
    folds     `[partition, pair]`       the fold that tests each pair; None under `paper`
    choice    `[partition, fold, source]` the layer chosen for each fold (1 … L); None under `paper`
    """

    accuracy: np.ndarray
    correct: np.ndarray
    layer: np.ndarray
    by_layer: np.ndarray
    margin: np.ndarray | None = None
    folds: np.ndarray | None = None
    choice: np.ndarray | None = None

    @property
    def chosen(self) -> np.ndarray:
        """Accuracy `[source, target]` at the chosen layer."""
        return np.nanmean(self.correct, axis=-1)


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


def training_pairs(folds: np.ndarray, limit: int | None = None, seed: int = 0) -> np.ndarray:
    """Which pairs train each fold, `[partition, fold, pair]`: all others, or `limit` of them drawn at random.

    Raises ValueError if a fold has fewer than `limit` others.
    """
    train = folds[:, None, :] != np.arange(int(folds.max()) + 1)[None, :, None]
    if limit is None:
        return train
    if train.sum(axis=-1).min() < limit or limit < 2:
        raise ValueError(f"cannot train on {limit} pairs: expected 2 to {train.sum(axis=-1).min()}")
    order = np.random.default_rng(seed).random(train.shape)
    rank = np.where(train, order, np.inf).argsort(axis=-1).argsort(axis=-1)
    return rank < limit


def _selection_score(own: np.ndarray, train: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Standardised inner margin `[partition, fold, source]`: each training pair on the others of other groups.

    `own` `[source, pair, pair]` are the sources' own Gram matrices. Accuracy inside the training pairs saturates and
    ties; the mean margin over its deviation does not.
    """
    n_sources = len(own)
    apart = groups[:, None] != groups[None, :]
    scores = np.zeros((*train.shape[:2], n_sources))
    for place in np.ndindex(*train.shape[:2]):
        inside = np.flatnonzero(train[place])
        weights = _mean_weights(apart[np.ix_(inside, inside)])
        inner = np.einsum("ij,sji->si", weights, own[:, inside[:, None], inside])
        spread = inner.std(axis=1)
        scores[place] = np.divide(inner.mean(axis=1), spread, out=np.zeros(n_sources), where=spread > 0)
    return scores


def _at_choice(layered: np.ndarray, choice: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Of margins `[layer, partition, source, target, pair]` those at each fold's chosen layer."""
    partition = np.arange(len(folds))
    layer = choice[partition[:, None], folds].transpose(0, 2, 1)[:, :, None, :] - 1  # [partition, source, 1, pair]
    return layered[(layer, *np.ix_(partition, *map(np.arange, layered.shape[2:])))]


def cross_validated(
    grams: Iterable[np.ndarray],
    groups: np.ndarray,
    *,
    signs: np.ndarray | None = None,
    n_partitions: int = N_PARTITIONS,
    limit: int | None = None,
    seed: int = 0,
) -> Recognition:
    """Protocol `cv`: out-of-fold margins, folds by group and the same in all languages.

    The layer is chosen per source, partition and fold on the source's own training pairs, and layer L, which
    lies behind the final norm, is not eligible; target labels never enter. `signs` `[pair]` of ±1 flips labels,
    in training and test alike, for a null distribution; `limit` trains on so many pairs only. Ties count ½.
    Raises ValueError for fewer than two groups, or fewer than `limit` training pairs.
    """
    folds = partitions(groups, n_folds=N_FOLDS, n_partitions=n_partitions, seed=seed)
    train = training_pairs(folds, limit, seed)
    weights = _mean_weights(train[np.arange(len(folds))[:, None], folds])
    margins, scores = [], []
    for gram in grams:
        if signs is not None:
            gram = gram * signs[None, :, None, None] * signs
        margins.append(_margins(gram, weights).astype(np.float32))
        scores.append(_selection_score(np.stack([gram[s, :, s] for s in range(len(gram))]), train, groups))
    margins, eligible = np.stack(margins), np.stack(scores[: max(1, len(scores) - 1)])
    choice = eligible.argmax(axis=0) + 1  # [partition, fold, source]
    chosen = _at_choice(margins, choice, folds)
    scale = np.sqrt(np.square(chosen, dtype=np.float64).mean(axis=-1, keepdims=True))
    typical = np.median(choice[np.arange(len(folds))[:, None], folds], axis=(0, 1)).round().astype(int)
    right = hits(margins)
    return Recognition(
        accuracy=right.mean(axis=(1, 4)).transpose(1, 2, 0),
        by_layer=np.diagonal(right.mean(axis=1), axis1=1, axis2=2).mean(axis=-1),
        correct=hits(chosen).mean(axis=0),
        margin=np.divide(chosen, scale, out=np.zeros(chosen.shape), where=scale > 0).mean(axis=(0, 3)),
        layer=np.repeat(typical[:, None], margins.shape[3], axis=1),
        folds=folds,
        choice=choice,
    )


def resampled_accuracy(
    grams: Sequence[np.ndarray], cv: Recognition, groups: np.ndarray, *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Cross-validated accuracy `[resample, source, target]` when groups of pairs are resampled jointly over languages.

    The resample trains the vectors *and* tests them: resampling the test pairs alone would take the vectors for given,
    and understate the spread by half where they are noisy. Layers stay as chosen in `cv`, on its first partition.
    """
    weights = bootstrap_weights(groups, n_resamples, seed).astype(np.float32)
    folds, choice = cv.folds[0], cv.choice[0]
    n_sources = len(grams[0])
    sums = np.zeros((n_resamples, n_sources, n_sources), dtype=np.float64)
    for fold, source in np.ndindex(*choice.shape):
        train, test = folds != fold, np.flatnonzero(folds == fold)
        inner = grams[choice[fold, source] - 1][source][train][:, :, test]  # [training pair, target, test pair]
        margins = np.tensordot(weights[:, train], inner, axes=1)
        sums[:, source] += np.einsum("rtp,rp->rt", hits(margins), weights[:, test])
    return sums


def recognition(
    states: np.ndarray, groups: Sequence[Hashable] | None = None, *, protocol: str = "cv", seed: int = 0
) -> Recognition:
    """Recognition accuracy of every language's concept vectors in every language (section 3.2 of the paper).

    `states` `[language, example, layer, d_model]`, positive examples first, the pairs parallel over languages;
    `groups` names the situation of each pair, which folds keep whole (None: each pair is its own). `protocol` is `cv`
    or `paper`; `seed` draws the folds. Raises ValueError for another protocol, and where there are too few pairs.
    """
    if protocol not in ("cv", "paper"):
        raise ValueError(f"unknown protocol {protocol!r}: choose cv or paper")
    differences = pair_differences(states, "language, example, layer, d_model")
    named = group_indices(range(differences.shape[1]) if groups is None else groups)
    grams = (pair_gram(differences[:, :, layer]) for layer in range(differences.shape[2]))
    if len(named) != differences.shape[1]:
        raise ValueError(f"expected a group for each of {differences.shape[1]} pairs, got {len(named)}")
    return as_published(grams) if protocol == "paper" else cross_validated(grams, named, seed=seed)


def own_hits(states: Layers, n_layers: int, groups: np.ndarray) -> np.ndarray:
    """Hits `[language, pair]` of each language's own vectors on held-out pairs; `states` as in `vectors.Layers`."""
    half = len(groups)
    grams = (pair_gram(here[:, :half] - here[:, half:]) for here in map(states, range(1, n_layers + 1)))
    return own(cross_validated(grams, groups).correct)


def paper_split(n_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test pairs of the authors' code: shuffled with Python's seed 1, the first 80 % for training."""
    order = list(range(n_pairs))
    random.Random(1).shuffle(order)
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
    correct, by_layer = np.full((*best.shape, n_pairs), np.nan), np.full((len(right), n_pairs), np.nan)
    by_layer[:, test] = np.diagonal(right, axis1=1, axis2=2).mean(axis=-1)
    correct[..., test] = right[best, source, target]
    return Recognition(right.mean(axis=-1).transpose(1, 2, 0), correct, best + 1, by_layer)


def learning_curve(
    grams: Sequence[np.ndarray], groups: np.ndarray, sizes: Sequence[int] = CURVE, *, seed: int = 0
) -> np.ndarray:
    """Hits `[size, language, pair]` of own vectors of so many training pairs, layer choice included.

    Held out on the same folds as `cross_validated`, three partitions; NaN for sizes that leave no test pairs.
    """
    folds = partitions(groups, n_folds=N_FOLDS, n_partitions=3, seed=seed)
    most = int(training_pairs(folds).sum(axis=-1).min())
    result = np.full((len(sizes), len(grams[0]), len(groups)), np.nan)
    for rows, size in zip(result, sizes, strict=True):
        if size <= most:
            rows[:] = own(cross_validated(grams, groups, n_partitions=3, limit=size, seed=seed).correct)
    return result
