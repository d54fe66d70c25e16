"""Single texts on a concept vector: told apart by a threshold (AUROC), and by one carried over from the source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xlv.analysis.recognition import Recognition, hits, training_pairs
from xlv.analysis.vectors import Layers, text_gram


@dataclass(frozen=True)
class Readout:
    """How the chosen vectors place held-out texts, each `[source, target]`, mean over folds and partitions.

    auroc     share of (positive, negative) couples of a fold's texts in the right order, ties ½: no threshold
    carried   accuracy with the threshold of the source: the midpoint of its training texts
    centred   accuracy at zero after taking from each language the mean of its own training texts

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
    n_languages = len(found.layer)
    sums, counts = np.zeros((3, n_languages, n_languages)), np.zeros(n_languages)
    for layer in np.unique(found.choice):
        by_text = text_gram(states(int(layer)))  # [source, pair, target, sign, pair]
        for p, fold, source in np.argwhere(found.choice == layer):
            inside = train[p, fold]
            projections = by_text[source, inside].mean(axis=0)  # [target, sign, pair]
            sums[:, source] += _read(projections, inside, found.folds[p] == fold, source)
            counts[source] += 1
    return Readout(*(sums / counts[:, None]))


def _read(projections: np.ndarray, train: np.ndarray, test: np.ndarray, source: int) -> tuple[np.ndarray, ...]:
    """AUROC and both accuracies `[target]` of one vector's projections `[target, sign, pair]`."""
    held_out = projections[..., test]
    positive, negative = held_out[:, 0], held_out[:, 1]
    gap = positive[:, :, None] - negative[:, None, :]
    middle = projections[..., train].mean(axis=(1, 2))  # [target]

    def accuracy(threshold: np.ndarray) -> np.ndarray:
        over, under = positive - threshold[:, None], threshold[:, None] - negative
        return (hits(over) + hits(under)).mean(axis=-1) / 2

    auroc = hits(gap).mean(axis=(1, 2))
    return auroc, accuracy(np.full(len(middle), middle[source])), accuracy(middle)
