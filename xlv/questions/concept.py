"""Everything questions 1 to 3 ask of one concept, from its states layer by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from xlv.cache import Progress, silent
from xlv.questions.consistency.cosines import HalfCosines, LayerProfile, cosines, half_cosines, layer_profile
from xlv.questions.recognition.accuracy import (
    Recognition,
    as_published,
    cross_validated,
    learning_curve,
    resampled_accuracy,
)
from xlv.questions.recognition.estimators import estimator_hits
from xlv.questions.recognition.nulls import random_accuracy, shuffled_accuracy
from xlv.questions.recognition.readout import Readout, readout
from xlv.statistics.resampling import N_RESAMPLES
from xlv.statistics.threads import for_each, side_by_side
from xlv.statistics.vectors import Layers, concept_vectors, hits, pair_gram

_SIDE_BY_SIDE = 2  # concepts: each holds Gram matrices of all layers


@dataclass(frozen=True)
class ConceptAnalysis:
    """What is found about one concept.

    cv, paper    recognition under each protocol
    resampled    `[resample, source, target]` accuracy under `cv` when pairs are resampled, training included
    readout      single texts: AUROC and thresholds
    shuffled     `[shuffle, source, target]` accuracy under shuffled labels
    random       `[draw, language]` accuracy of random directions
    estimators   `[estimator, source, target, pair]` hits of other estimators
    curve        `[size, language, pair]` hits of own vectors by number of training pairs
    cosine       `[source, target, layer]` the paper's plain cosine
    halves       cosines of half vectors at `layer`, the median of the layers chosen; `profile` at every layer
    vectors      `[layer, language, d_model]` of all pairs
    """

    cv: Recognition
    paper: Recognition
    resampled: np.ndarray
    readout: Readout
    shuffled: np.ndarray
    random: np.ndarray
    estimators: np.ndarray
    curve: np.ndarray
    cosine: np.ndarray
    layer: int
    halves: HalfCosines
    profile: LayerProfile
    vectors: np.ndarray


def analyse_concept(
    states: Layers, n_layers: int, groups: np.ndarray, *, n_resamples: int = N_RESAMPLES, folds: int = 0, seed: int = 0
) -> ConceptAnalysis:
    """Analyse one concept; `states(layer)` gives `[language, example, d_model]`, positive examples first. `folds`
    is the seed of the folds and the null distributions, `seed` that of the `n_resamples` resamples: the same in two
    models makes their differences paired.

    Only Gram matrices and vectors of all layers are held at once. Raises ValueError for fewer than four groups.
    """
    grams, vectors = [], []
    for layer in range(1, n_layers + 1):
        here = states(layer)
        half = here.shape[1] // 2
        grams.append(pair_gram(here[:, :half] - here[:, half:]))
        vectors.append(concept_vectors(here[:, :half].swapaxes(0, 1), here[:, half:].swapaxes(0, 1)))
    cv = cross_validated(grams, groups, seed=folds)
    layer = int(np.median(cv.layer[:, 0]))
    return ConceptAnalysis(
        cv=cv,
        paper=as_published(grams),
        resampled=resampled_accuracy(grams, cv, groups, n_resamples=n_resamples, seed=seed),
        readout=readout(states, cv),
        shuffled=shuffled_accuracy(grams, groups, seed=folds),
        random=random_accuracy(states(layer), seed=folds),
        estimators=estimator_hits(states, cv),
        curve=learning_curve(grams, groups, seed=folds),
        cosine=np.stack([cosines(gram) for gram in grams], axis=-1),
        layer=layer,
        halves=half_cosines(grams[layer - 1], groups, n_splits=n_resamples, seed=folds),
        profile=layer_profile(grams, groups, seed=folds),
        vectors=np.stack(vectors).astype(np.float32),
    )


def analyse_concepts(
    states: Mapping[str, Layers],
    n_layers: int,
    groups: Sequence[np.ndarray],
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, ConceptAnalysis]:
    """Analyse each concept of `states`, several at a time; `groups` are those of each concept's pairs.

    `seed` draws the folds, and with the concept's place the resamples: the same in two models pairs their differences.
    """
    concepts, found = list(states), dict.fromkeys(states)

    def one(place: int) -> None:
        progress("analysing", sum(analysis is not None for analysis in found.values()), len(concepts))
        layers, folds = states[concepts[place]], {"folds": seed, "seed": place + 1000 * seed}
        found[concepts[place]] = analyse_concept(layers, n_layers, groups[place], n_resamples=n_resamples, **folds)

    for_each(one, range(len(concepts)), side_by_side(most=_SIDE_BY_SIDE))
    progress("analysing", len(concepts), len(concepts))
    return found


def across(found: Mapping[str, ConceptAnalysis], states: Mapping[str, Layers]) -> np.ndarray:
    """Accuracy `[concept, other, language]` of each concept's vectors on the other concepts' pairs; own: held out."""
    result = np.stack([np.stack([np.diagonal(a.cv.chosen)] * len(found)) for a in found.values()])
    for (i, (one, analysis)), (j, (other, layers)) in product(enumerate(found.items()), enumerate(states.items())):
        if one != other:
            result[i, j] = other_concept_accuracy(analysis.vectors, analysis.cv.layer[:, 0], layers)
    return result


def other_concept_accuracy(vectors: np.ndarray, layers: np.ndarray, states: Layers) -> np.ndarray:
    """Accuracy `[language]` of one concept's vectors on the pairs of another, each in its own language.

    `vectors` `[layer, language, d_model]` and the chosen `layers` `[language]` of the one; `states` of the other.
    """
    result = np.empty(len(layers))
    for layer in np.unique(layers):
        here, own = states(int(layer)), np.flatnonzero(layers == layer)
        half = here.shape[1] // 2
        margins = np.einsum("lid,ld->li", here[own, :half] - here[own, half:], vectors[layer - 1, own])
        result[own] = hits(margins).mean(axis=1)
    return result
