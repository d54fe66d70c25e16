"""Everything questions 1 to 3 ask, concept by concept from its states layer by layer, as labelled arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr

from xlv.cache import Progress, silent
from xlv.corpus.concepts import CONTROLS
from xlv.corpus.shortcut import SURFACES
from xlv.questions.consistency.cosines import HalfCosines, LayerProfile, cosines, half_cosines, layer_profile
from xlv.questions.recognition.accuracy import (
    CURVE,
    Recognition,
    as_published,
    cross_validated,
    learning_curve,
    resampled_accuracy,
)
from xlv.questions.recognition.baselines import ESTIMATORS, estimator_hits, random_accuracy, shuffled_accuracy
from xlv.questions.recognition.readout import Readout, readout
from xlv.results import SCHEMA
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


Found = Mapping[str, ConceptAnalysis]
MEASURES = ("auroc", "carried", "centred")
READERS = ("own", "other")  # who reads a language: its own vector, or the others', averaged


def levelled(rows: Sequence[np.ndarray], n_pairs: int | None = None, shape: tuple[int, ...] = ()) -> np.ndarray:
    """Arrays `[…, pair]` of different numbers of pairs as one, padded with NaN; its leading axes in another `shape`."""
    n_pairs = n_pairs or max(row.shape[-1] for row in rows)
    padded = [
        np.pad(row.astype(float), [(0, 0)] * (row.ndim - 1) + [(0, n_pairs - row.shape[-1])], constant_values=np.nan)
        for row in rows
    ]
    return np.stack(padded).reshape(*shape, n_pairs) if shape else np.stack(padded)


def _dataset(question: str, arrays: Mapping[str, np.ndarray], coords: Mapping[str, Sequence]) -> xr.Dataset:
    """Arrays with the dimensions that SCHEMA gives them."""
    variables = {name: (SCHEMA[question][name].dims, array) for name, array in arrays.items()}
    return xr.Dataset(variables, coords={name: list(values) for name, values in coords.items()})


def recognition_arrays(
    found: Found,
    states: Mapping[str, Layers],
    languages: Sequence[str],
    groups: Sequence[np.ndarray],
    surface: Sequence[np.ndarray],
) -> xr.Dataset:
    """Recognition of all concepts under both protocols, with nulls, readouts and estimators.

    `states`, `groups` `[pair]` and `surface` `[surface, language, pair]` are per concept; `resampled` is over values.
    """
    n_pairs = max(map(len, groups))
    values = [name for name in found if name not in CONTROLS] or list(found)

    def each(pick: Callable[[ConceptAnalysis], np.ndarray]) -> np.ndarray:
        return levelled([pick(analysis) for analysis in found.values()], n_pairs)

    def stack(pick: Callable[[ConceptAnalysis], np.ndarray]) -> np.ndarray:
        return np.stack([pick(analysis) for analysis in found.values()])

    correct = np.stack([each(lambda a: a.cv.correct), each(lambda a: a.paper.correct)])
    arrays = {
        "accuracy": np.nanmean(correct, axis=-1),
        "accuracy_by_layer": np.stack([stack(lambda a: a.cv.accuracy), stack(lambda a: a.paper.accuracy)]),
        "correct": correct,
        "chosen_layer": np.stack([stack(lambda a: a.cv.layer), stack(lambda a: a.paper.layer)]),
        "margin": stack(lambda a: a.cv.margin),
        "by_layer": np.stack([each(lambda a: a.cv.by_layer), each(lambda a: a.paper.by_layer)]),
        "readout": each(lambda a: _readers(np.stack([getattr(a.readout, name) for name in MEASURES]))),
        "estimated": each(lambda a: _readers(a.estimators)),
        "curve": each(lambda a: a.curve),
        "resampled": np.stack([found[name].resampled for name in values]).mean(axis=0),
        "shuffled": stack(lambda a: a.shuffled),
        "random": stack(lambda a: a.random),
        "group": levelled(groups),
        "surface": levelled(surface),
        "across": across(found, states),
    }
    coords = {"protocol": ["cv", "paper"], "concept": found, "other": found, "source": languages, "target": languages}
    kinds = {"estimator": ESTIMATORS, "size": CURVE, "measure": MEASURES, "reader": READERS, "surface_kind": SURFACES}
    return _dataset("recognition", arrays, {**coords, "layer": _layers(found), "pair": range(1, n_pairs + 1), **kinds})


def consistency_arrays(found: Found, languages: Sequence[str]) -> xr.Dataset:
    """Consistency of all concepts: the paper's plain cosine, and the corrected one at each concept's chosen layer."""

    def stack(pick: Callable[[ConceptAnalysis], object]) -> np.ndarray:
        return np.stack([pick(analysis) for analysis in found.values()])

    arrays = {
        "cosine": stack(lambda a: a.cosine),
        "corrected": stack(lambda a: a.halves.corrected),
        "corrected_low": stack(lambda a: a.halves.low),
        "corrected_high": stack(lambda a: a.halves.high),
        "corrected_mean": stack(lambda a: a.halves.mean),
        "reliability": stack(lambda a: a.halves.reliability),
        "corrected_profile": stack(lambda a: a.profile.corrected),
        "reliability_profile": stack(lambda a: a.profile.reliability),
        "chosen_layer": stack(lambda a: a.layer),
    }
    coords = {"concept": found, "source": languages, "target": languages, "layer": _layers(found)}
    return _dataset("consistency", arrays, coords)


def _readers(array: np.ndarray) -> np.ndarray:
    """Of `[…, source, target, pair]` the own and the mean other reader of each target, `[…, reader, target, pair]`."""
    mine = np.moveaxis(np.diagonal(array, axis1=-3, axis2=-2), -1, -2)
    others = (array.sum(axis=-3) - mine) / max(1, array.shape[-3] - 1)
    return np.stack([mine, others if array.shape[-3] > 1 else np.full_like(mine, np.nan)], axis=-3)


def _layers(found: Found) -> range:
    return range(1, next(iter(found.values())).cosine.shape[-1] + 1)
