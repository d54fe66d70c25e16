"""Beside accuracy on pairs: single texts on the same vectors, other estimators, and directions that know nothing."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from xlv.questions.recognition import accuracy
from xlv.questions.recognition.accuracy import Recognition, training_pairs
from xlv.statistics.resampling import partitions
from xlv.statistics.vectors import Layers, differences_of, hits, own
from xlv.statistics.whitening import principal_axes, whitened

FAR = 3.0  # medians of the norm, above which a state is an outlier


class Readout(NamedTuple):
    """How the chosen vectors place held-out texts, each `[source, target, pair]`, mean over partitions.

    auroc     share of the fold's negative texts below the pair's positive one, ties ½: no threshold
    carried   share of the pair's two texts on the right side of the source's threshold, the mean of its training texts
    centred   the same with the mean of the target's own training texts as threshold (no labels enter)

    Where `auroc` is high and `carried` low the concept is there and its scale or offset is not (miscalibration);
    `centred` then says how much the language's mean alone mends.
    """

    auroc: np.ndarray
    carried: np.ndarray
    centred: np.ndarray


def readout(states: Layers, found: Recognition) -> Readout:
    """Read held-out texts with the vectors that protocol `cv` chose; one layer is in memory at a time.

    `found` is what `cross_validated` returns on the same states.
    """
    train = training_pairs(found.folds)
    n_languages, n_pairs = len(found.layer), found.folds.shape[1]
    sums = np.zeros((3, n_languages, n_languages, n_pairs))
    for layer in np.unique(found.choice):
        here, places = states(int(layer)), np.argwhere(found.choice == layer)
        here = here - here.mean(axis=(0, 1), dtype=np.float64).astype(here.dtype)  # moves all alike, and rounds less
        differences = here[:, :n_pairs] - here[:, n_pairs:]
        vectors = np.stack([train[p, fold] @ differences[source] / train[p, fold].sum() for p, fold, source in places])
        projected = (vectors.astype(np.float32) @ here.reshape(-1, here.shape[-1]).T).reshape(
            -1, n_languages, 2, n_pairs
        )
        for (p, fold, source), projections in zip(places, projected, strict=True):  # [target, sign, pair]
            test, middle = found.folds[p] == fold, projections[..., train[p, fold]].mean(axis=(1, 2))
            sums[:, source][..., test] += _read(projections[..., test], middle[source], middle)
    return Readout(*(sums / len(found.folds)))


def _read(projections: np.ndarray, carried: float, centred: np.ndarray) -> np.ndarray:
    """AUROC share and both accuracies `[measure, target, pair]` of held-out projections `[target, sign, pair]`."""
    positive, negative = projections[:, 0], projections[:, 1]

    def accuracy(threshold: np.ndarray) -> np.ndarray:
        return (hits(positive - threshold) + hits(threshold - negative)) / 2

    auroc = hits(positive[:, :, None] - negative[:, None, :]).mean(axis=2)
    return np.stack([auroc, accuracy(np.asarray(carried)), accuracy(centred[:, None])])


def _principal(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """First principal axis of the differences; its sign, which PCA leaves open, is that of their mean."""
    differences = positive - negative
    first = principal_axes(differences)[0][:, 0]
    return first * (1.0 if differences.mean(axis=0) @ first >= 0 else -1.0)


def _logistic(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """The normal of a logistic classifier of single texts; it lies in the texts' span, of far fewer dimensions."""
    texts = np.concatenate([positive, negative])
    texts = texts - texts.mean(axis=0)
    axes, scale = principal_axes(texts)
    coordinates = (texts @ axes / np.sqrt(np.mean(scale**2))).astype(np.float32)
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    return axes @ LogisticRegression(C=1.0, max_iter=500).fit(coordinates, labels).coef_[0]


ALONE = {  # directions of a source's texts, each side `[pair, d_model]`
    "DiffMean": lambda positive, negative: (positive - negative).mean(axis=0),
    "PCA": _principal,
    "logistic": _logistic,
}
POOLED = {  # what covariance whitens DiffMean: that of rows `[language, part, pair, d_model]`
    "whitened": lambda positive, negative: (positive - negative)[:, None],
    "LDA": lambda positive, negative: np.stack([positive, negative], axis=1),
}
ESTIMATORS = ("DiffMean", "whitened", "PCA", "logistic", "LDA")


def estimator_hits(states: Layers, found: Recognition) -> np.ndarray:
    """Hits `[estimator, source, target, pair]` on held-out pairs: ESTIMATORS in order, the first partition's folds.

    Every estimator gets the layer that protocol `cv` chose for the fold and source with DiffMean, and is scored as
    it is: on whether the positive text of a pair projects higher than the negative one. Covariances are of the training
    folds of all languages but the target, see `whitened`. A direction that cannot be told (no variance) scores ½.
    """
    train, folds = training_pairs(found.folds)[0], found.folds[0]
    n_languages, n_pairs = len(found.layer), len(folds)
    right = np.zeros((len(ESTIMATORS), n_languages, n_languages, n_pairs))
    for layer in np.unique(found.choice[0]):
        here = states(int(layer)).astype(np.float32)
        positive, negative = here[:, :n_pairs], here[:, n_pairs:]
        differences = positive - negative
        for fold in np.flatnonzero((found.choice[0] == layer).any(axis=1)):
            sources, test = np.flatnonzero(found.choice[0, fold] == layer), np.flatnonzero(folds == fold)
            training = [np.compress(train[fold], side, axis=1) for side in (positive, negative)]
            known = [[side[s] for side in training] for s in sources]
            means = np.stack([ALONE["DiffMean"](*texts) for texts in known])
            for reads, name in zip(right, ESTIMATORS, strict=True):
                if name in POOLED:
                    directions = whitened(POOLED[name](*training), means, sources)  # [target, source, d]
                else:
                    directions = np.stack([ALONE[name](*texts) if np.ptp(texts) else means[0] * 0 for texts in known])
                margins = directions @ differences[:, test].swapaxes(1, 2)  # [target, source, pair]
                reads[np.ix_(sources, range(n_languages), test)] = hits(margins).swapaxes(0, 1)
    return right


def shuffled_accuracy(
    differences: Layers, grams: Sequence[np.ndarray], groups: np.ndarray, *, n_shuffles: int = 20, seed: int = 0
) -> np.ndarray:
    """Accuracy `[shuffle, source, target]` of the whole procedure, layer choice included, on shuffled labels.

    Positive and negative change places in random pairs, the same in every language, in training and test alike.
    `differences(layer)` gives `[language, pair, d_model]`, `grams` the languages' own inner products at every layer.
    """
    signs = _signs(n_shuffles, len(groups), seed)
    folds = partitions(groups, n_folds=accuracy.N_FOLDS, n_partitions=1, seed=seed)[:1].repeat(n_shuffles, axis=0)
    train, right = training_pairs(folds), np.zeros((n_shuffles, len(grams[0]), len(grams[0])))
    choice, rows = accuracy.chosen_layers(grams, train, groups, signs[:, None]), (train * signs[:, None])[:, :, None]
    for shuffle, sources, test, products in accuracy.chosen_products(differences, folds, choice, rows):
        right[shuffle, sources] += hits(products[:, 0] * signs[shuffle, test]).sum(axis=-1)
    return right / len(groups)


def _signs(n_shuffles: int, n_pairs: int, seed: int) -> np.ndarray:
    """Shuffles of labels `[shuffle, pair]`: −1 where positive and negative change places."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_shuffles, n_pairs)).astype(np.float32)


def random_accuracy(
    states: np.ndarray, tested: np.ndarray | None = None, *, n_directions: int = 100, seed: int = 0
) -> np.ndarray:
    """Accuracy `[draw, language]` on `tested` or all pairs of random directions of the activations' covariance.

    `states` `[language, example, d_model]`, positive examples first. A sum of centred states with normal weights has
    their covariance, so it lies where the activations vary, as a concept vector does, and not in idle dimensions.
    """
    weights = np.random.default_rng(seed).standard_normal((n_directions, states.shape[1]), dtype=np.float32)
    directions = weights @ (states - states.mean(axis=1, keepdims=True))  # [language, draw, d_model]
    n_pairs = states.shape[1] // 2
    tested = np.arange(n_pairs) if tested is None else tested
    differences = states[:, tested] - states[:, n_pairs + tested]
    return hits(directions @ differences.swapaxes(1, 2)).mean(axis=-1).T


def published_nulls(states: Layers, n_layers: int, *, n_shuffles: int = 20, seed: int = 0) -> dict[str, np.ndarray]:
    """What shuffled labels `[shuffle, source, target]` and random directions `[draw, language]` reach under `paper`.

    By their names in SCHEMA. The layer that is best on the test pairs is chosen for them, too, which lifts them above
    ½: the paper's kind of figure is to be held against these. Signs and draws are alike in all layers.
    """
    best = [np.zeros(()), np.zeros(())]
    for here in map(states, range(1, n_layers + 1)):
        n_pairs = here.shape[1] // 2
        differences, signs = here[:, :n_pairs] - here[:, n_pairs:], _signs(n_shuffles, n_pairs, seed)
        train, test = accuracy.paper_split(n_pairs)
        vectors = (signs[:, train] @ differences[:, train]).swapaxes(0, 1)  # [shuffle, source, d_model]
        margins = np.tensordot(vectors, differences[:, test], (2, 2)) * signs[:, None, None, test]
        reached = (margins >= 0).mean(axis=-1), random_accuracy(here, test, seed=seed)
        best = [np.maximum(*both) for both in zip(best, reached, strict=True)]
    return dict(zip(("shuffled_paper", "random_paper"), best, strict=True))


def own_as_published(states: Layers, n_layers: int) -> np.ndarray:
    """Accuracy `[language]` of own vectors under `paper`, as of an untrained model; see `vectors.Layers`."""
    return own(accuracy.as_published(map(differences_of(states), range(1, n_layers + 1))).chosen)


def outliers(states: np.ndarray) -> np.ndarray:
    """Share `[language]` of states `[language, example, d_model]` with norms above FAR medians: massive activations."""
    norms = np.linalg.norm(states, axis=-1)
    return (norms > FAR * np.median(norms, axis=1, keepdims=True)).mean(axis=1)
