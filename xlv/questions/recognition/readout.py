"""Single texts on a concept vector: told apart by a threshold (AUROC), and by one carried over from the source."""

from typing import NamedTuple

import numpy as np

from xlv.questions.recognition.accuracy import Recognition, training_pairs
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
