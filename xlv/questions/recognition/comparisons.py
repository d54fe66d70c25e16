"""Beside accuracy on pairs: single texts on the same vectors, other estimators, and directions that know nothing."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from xlv.questions.recognition.accuracy import N_FOLDS, Recognition, chosen_layers, chosen_products, training_pairs
from xlv.statistics.resampling import partitions
from xlv.statistics.vectors import Layers, hits, text_gram


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

    `found` is what `cross_validated` returns on the same states. Raises ValueError for a result of protocol `paper`.
    """
    if found.folds is None or found.choice is None:
        raise ValueError("expected a cross-validated result: protocol paper has one split only")
    train = training_pairs(found.folds)
    n_languages, n_pairs = len(found.layer), found.folds.shape[1]
    sums = np.zeros((3, n_languages, n_languages, n_pairs))
    for layer in np.unique(found.choice):
        by_text = text_gram(states(int(layer)))  # [source, pair, target, sign, pair]
        for p, fold, source in np.argwhere(found.choice == layer):
            inside, test = train[p, fold], found.folds[p] == fold
            projections = by_text[source, inside].mean(axis=0)  # [target, sign, pair]
            middle = projections[..., inside].mean(axis=(1, 2))
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
    """First right singular vector of the differences; its sign, which PCA leaves open, is that of their mean."""
    differences = positive - negative
    left, scale = _singular(differences)
    first = left[:, 0] @ differences / scale[0]
    return first * (1.0 if differences.mean(axis=0) @ first >= 0 else -1.0)


def _singular(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors and singular values, largest first, in double precision.

    By the Gram matrix of the rows, which are far fewer than their dimensions: many times as fast as the whole
    decomposition, and double precision makes up for the squaring.
    """
    rows = rows.astype(np.float64)
    values, left = np.linalg.eigh(rows @ rows.T)
    return left[:, ::-1], np.sqrt(np.maximum(values[::-1], 0.0))


def _fitted(model: Callable) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def direction(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
        """The normal of a linear classifier of single texts, fitted in the span of the training texts.

        The solution lies in that span anyway, which has far fewer dimensions than the residual stream.
        """
        texts = np.concatenate([positive, negative])
        texts = texts - texts.mean(axis=0)
        left, scale = _singular(texts)
        kept = scale > 1e-5 * scale[0]
        left, scale = left[:, kept], scale[kept]
        coordinates = (left * scale / np.sqrt(np.mean(scale**2))).astype(np.float32)
        labels = np.repeat([1, 0], [len(positive), len(negative)])
        return (model().fit(coordinates, labels).coef_[0] / scale) @ left.T @ texts

    return direction


ESTIMATORS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "DiffMean": lambda positive, negative: (positive - negative).mean(axis=0),
    "PCA": _principal,
    "logistic": _fitted(lambda: LogisticRegression(C=1.0, max_iter=500)),
    "LDA": _fitted(lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")),
}


def estimator_hits(states: Layers, found: Recognition) -> np.ndarray:
    """Hits `[estimator, source, target, pair]` on held-out pairs: ESTIMATORS in order, the first partition's folds.

    Every estimator gets the layer that protocol `cv` chose for the fold and source with DiffMean, and is scored as
    it is: on whether the positive text of a pair projects higher than the negative one. LDA shrinks its covariance
    by Ledoit and Wolf. A direction that cannot be told (no variance) scores ½.
    """
    train, folds = training_pairs(found.folds)[0], found.folds[0]
    n_languages, n_pairs = len(found.layer), len(folds)
    right = np.zeros((len(ESTIMATORS), n_languages, n_languages, n_pairs))
    for layer in np.unique(found.choice[0]):
        here = states(int(layer))
        positive, negative = here[:, :n_pairs], here[:, n_pairs:]
        for fold, source in np.argwhere(found.choice[0] == layer):
            test = folds == fold
            differences = positive[:, test] - negative[:, test]
            known = positive[source, train[fold]], negative[source, train[fold]]
            for e, direction in enumerate(ESTIMATORS.values()):
                right[e, source][:, test] = hits(differences @ direction(*known)) if np.ptp(known) else 0.5
    return right


def shuffled_accuracy(
    differences: Layers, grams: Sequence[np.ndarray], groups: np.ndarray, *, n_shuffles: int = 20, seed: int = 0
) -> np.ndarray:
    """Accuracy `[shuffle, source, target]` of the whole procedure, layer choice included, on shuffled labels.

    Positive and negative change places in random pairs, the same in every language, in training and test alike.
    `differences(layer)` gives `[language, pair, d_model]`, `grams` the languages' own inner products at every layer.
    """
    signs = _signs(n_shuffles, len(groups), seed)
    folds = partitions(groups, n_folds=N_FOLDS, n_partitions=1, seed=seed)[:1].repeat(n_shuffles, axis=0)
    train, right = training_pairs(folds), np.zeros((n_shuffles, len(grams[0]), len(grams[0])))
    choice, rows = chosen_layers(grams, train, groups, signs[:, None]), (train * signs[:, None])[:, :, None]
    for shuffle, sources, test, products in chosen_products(differences, folds, choice, rows):
        right[shuffle, sources] += hits(products[:, 0] * signs[shuffle, test]).sum(axis=-1)
    return right / len(groups)


def _signs(n_shuffles: int, n_pairs: int, seed: int) -> np.ndarray:
    """Shuffles of labels `[shuffle, pair]`: −1 where positive and negative change places."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_shuffles, n_pairs)).astype(np.float32)


def random_accuracy(states: np.ndarray, *, n_directions: int = 100, seed: int = 0) -> np.ndarray:
    """Accuracy `[draw, language]` of random directions that have the covariance of a language's activations.

    `states` `[language, example, d_model]`, positive examples first. A sum of centred states with normal weights has
    their covariance, so it lies where the activations vary, as a concept vector does, and not in idle dimensions.
    """
    generator = np.random.default_rng(seed)
    n_pairs = states.shape[1] // 2
    centred = states - states.mean(axis=1, keepdims=True)
    weights = generator.standard_normal((n_directions, states.shape[1]), dtype=np.float32)
    directions = np.einsum("re,led->lrd", weights, centred, optimize=True)
    differences = states[:, :n_pairs] - states[:, n_pairs:]
    margins = np.matmul(directions, differences.transpose(0, 2, 1))  # [language, draw, pair]
    return hits(margins).mean(axis=-1).T
