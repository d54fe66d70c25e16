"""Recognition accuracy: how well one language's concept vector tells another's positive texts from the negative.

Held-out pairs are projected on the vectors of each fold, layer by layer, so that one layer's states are in memory.
"""

import math
import random
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from xlv.questions.recognition.folds import (
    N_FOLDS,
    chosen_layers,
    chosen_products,
    own_margins,
    products,
    training_pairs,
)
from xlv.statistics.jackknife import Replicated, blocks, surplus
from xlv.statistics.resampling import group_indices, partitions
from xlv.statistics.vectors import Layers, differences_of, hits, own, own_gram, pair_differences

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


class CrossValidation:
    """Protocol `cv` of one concept, fed with `add` layer by layer; see `cross_validated`. Holds one layer's states.

    grams    `[language, pair, pair]` inner products of each language's own pairs, layer by layer
    margins  `[partition, source, target, pair]` of held-out pairs, layer by layer
    """

    def __init__(self, groups: np.ndarray, *, n_partitions: int = N_PARTITIONS, seed: int = 0) -> None:
        self.groups = groups
        self.folds = partitions(groups, n_folds=N_FOLDS, n_partitions=n_partitions, seed=seed)
        self.train = training_pairs(self.folds)
        self.grams, self.margins = [], []

    def add(self, differences: np.ndarray) -> None:
        """Take the pair differences `[language, pair, d_model]` of the next layer."""
        differences = differences.astype(np.float32)
        self.grams.append(own_gram(differences))
        n_languages, n_pairs, _ = differences.shape
        margins = np.empty((len(self.folds), n_languages, n_languages, n_pairs), dtype=np.float32)
        room = np.empty_like(differences)
        for p, fold_of in enumerate(self.folds):
            weights = self.train[p] / self.train[p].sum(axis=-1, keepdims=True)
            vectors = np.matmul(weights.astype(np.float32), differences)  # [source, fold, d_model]
            for fold in range(vectors.shape[1]):
                test = np.flatnonzero(fold_of == fold)
                margins[p][..., test] = products(vectors[:, fold], differences, test, room)
        self.margins.append(margins)

    def result(self) -> Recognition:
        """What was found in the layers taken."""
        choice, folds = chosen_layers(self.grams, self.train, self.groups), self.folds
        chosen, by_fold = np.empty_like(self.margins[0]), choice[np.arange(len(folds))[:, None], folds]
        for layer in np.unique(choice):
            here = (by_fold == layer).transpose(0, 2, 1)[:, :, None]  # [partition, source, 1, pair]
            np.copyto(chosen, self.margins[layer - 1], where=here)
        scale = np.sqrt(np.square(chosen, dtype=np.float64).mean(axis=-1, keepdims=True))
        typical = np.median(by_fold, axis=(0, 1)).round().astype(int)
        right = [hits(margins).mean(axis=0) for margins in self.margins]
        return Recognition(
            accuracy=np.stack([layer.mean(axis=-1) for layer in right], axis=-1),
            by_layer=np.stack([own(layer).mean(axis=0) for layer in right]),
            correct=hits(chosen).mean(axis=0),
            margin=np.divide(chosen, scale, out=np.zeros(chosen.shape), where=scale > 0).mean(axis=(0, 3)),
            layer=np.repeat(typical[:, None], len(typical), axis=1),
            folds=folds,
            choice=choice,
        )


def cross_validated(layers: Iterable[np.ndarray], groups: np.ndarray, **options: int) -> Recognition:
    """Protocol `cv`: out-of-fold margins, folds by group and the same in all languages.

    `layers` gives the pair differences `[language, pair, d_model]` of one layer after the other. The layer is chosen
    per source, partition and fold on the source's own training pairs, and layer L, which lies behind the final norm,
    is not eligible; target labels never enter. Ties count ½. Options: `n_partitions`, and the `seed` of the folds.
    Raises ValueError for fewer than two groups.
    """
    protocol = CrossValidation(groups, **options)
    for differences in layers:
        protocol.add(differences)
    return protocol.result()


def _left_out(parts: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Hits with a block left out of training, summed by blocks of test pairs: `[source, block, target, test block]`.

    `parts` `[source, block, target, pair]` are what blocks of training pairs add to a margin. A hit jumps where its
    margin changes sign, and a sum of jumps is noise; what moves smoothly is its expectation over training pairs,
    Φ(margin / its standard error), taken to first order. `inside` `[pair, block]` marks the blocks of test pairs.
    """
    margin, there = parts.sum(axis=1, keepdims=True), parts.any(axis=(0, 2, 3))[:, None, None]
    n_blocks = int(there.sum())  # of which the fold's training pairs are
    square = np.einsum("sbti,sbti->sti", parts, parts)[:, None] - margin**2 / n_blocks
    error = np.sqrt(np.maximum(square * n_blocks / max(1, n_blocks - 1), np.finfo(np.float32).tiny))
    slope = np.exp(-0.5 * (margin / error) ** 2) / (error * math.sqrt(2 * math.pi))
    moved = np.matmul(np.multiply(parts, slope, out=parts).reshape(-1, parts.shape[-1]), inside)
    usual = np.matmul(margin * slope / n_blocks, inside) * there  # of every block that is there
    return np.matmul(hits(margin).astype(np.float32), inside) - moved.reshape(*parts.shape[:-1], -1) + usual


def jackknifed(differences: Layers, cv: Recognition, groups: np.ndarray) -> Replicated:
    """Cross-validated accuracy `[source, target]` with each block of situations left out, and its surplus.

    A block is left out of training and test, at the layers and folds of `cv`: to leave it out of the test alone would
    take the vectors for given, and understate the spread by half where they are noisy.
    """
    block = blocks(groups)
    inside = block == np.arange(block.max() + 1)[:, None]  # [block, pair]
    together = np.zeros((len(cv.layer), len(inside), len(cv.layer), len(inside)))
    rows = training_pairs(cv.folds)[:, :, None] & inside
    for _, sources, test, parts in chosen_products(differences, cv.folds, cv.choice, rows):
        together[sources] += _left_out(parts, inside[:, test].T.astype(np.float32))
    together = together.transpose(1, 3, 0, 2)  # hits without one block on the pairs of another
    count = len(cv.folds) * inside.sum(axis=1)
    others = together.sum(axis=1) - together[np.arange(len(inside)), np.arange(len(inside))]
    return Replicated(cv.chosen, others / (count.sum() - count)[:, None, None], surplus(together / count.sum()))


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
    layers = (differences[:, :, layer] for layer in range(differences.shape[2]))
    if len(named) != differences.shape[1]:
        raise ValueError(f"expected a group for each of {differences.shape[1]} pairs, got {len(named)}")
    return as_published(layers) if protocol == "paper" else cross_validated(layers, named, seed=seed)


def own_hits(states: Layers, n_layers: int, groups: np.ndarray) -> np.ndarray:
    """Hits `[language, pair]` of each language's own vectors on held-out pairs; `states` as in `vectors.Layers`."""
    grams = [own_gram(differences_of(states)(layer)) for layer in range(1, n_layers + 1)]
    folds = partitions(groups, n_folds=N_FOLDS, n_partitions=N_PARTITIONS)
    return _own_hits(grams, groups, folds, training_pairs(folds))


def _own_hits(grams: Sequence[np.ndarray], groups: np.ndarray, folds: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Hits `[language, pair]` under protocol `cv`, mean over partitions, which take own inner products alone."""
    choice = chosen_layers(grams, train, groups)[np.arange(len(folds))[:, None], folds]  # [partition, pair, language]
    right = np.zeros((len(grams[0]), len(groups)))
    for layer in np.unique(choice):
        margins = own_margins(grams[layer - 1], train, groups)
        tested = np.take_along_axis(margins, folds[None, :, None], axis=2)[:, :, 0]  # [language, partition, pair]
        right += (hits(tested) * (choice == layer).transpose(2, 0, 1)).sum(axis=1)
    return right / len(folds)


def paper_split(n_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test pairs of the authors' code: shuffled with Python's seed 1, the first 80 % for training.

    Raises ValueError for fewer than two pairs.
    """
    if n_pairs < 2:
        raise ValueError(f"expected at least 2 pairs to split, got {n_pairs}")
    order = list(range(n_pairs))
    random.Random(1).shuffle(order)
    cut = int(n_pairs * 0.8)
    return np.array(order[:cut]), np.array(order[cut:])


def as_published(layers: Iterable[np.ndarray]) -> Recognition:
    """Protocol `paper`: one 80/20 split, and the layer with the best *test* accuracy for each source and target.

    `layers` gives the pair differences `[language, pair, d_model]` of one layer after the other. What the authors'
    code does; optimistic, since the layer is chosen on the pairs it is reported on. Ties count as right. Raises
    ValueError for fewer than two pairs.
    """
    right = []
    for differences in layers:
        train, test = paper_split(n_pairs := differences.shape[1])
        right.append(np.tensordot(differences[:, train].mean(axis=1), differences[:, test], (1, 2)) >= 0)
    right = np.stack(right)  # [layer, source, target, test pair]
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

    `grams` `[language, pair, pair]` hold the languages' own inner products, layer by layer. Held out on the same folds
    as `cross_validated`, three partitions; NaN for sizes that leave no test pairs.
    """
    folds = partitions(groups, n_folds=N_FOLDS, n_partitions=3, seed=seed)
    most = int(training_pairs(folds).sum(axis=-1).min())
    result = np.full((len(sizes), len(grams[0]), len(groups)), np.nan)
    for rows, size in zip(result, sizes, strict=True):
        if size <= most:
            rows[:] = _own_hits(grams, groups, folds, training_pairs(folds, size, seed))
    return result
