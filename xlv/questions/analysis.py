"""Everything questions 1 to 3 ask, concept by concept from its states layer by layer, as labelled arrays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xlv.cache import Progress, silent
from xlv.corpus.shortcut import SURFACES
from xlv.questions.consistency import moments
from xlv.questions.consistency.cosines import cosines
from xlv.questions.consistency.pooled import pooled
from xlv.questions.recognition import accuracy, comparisons
from xlv.questions.recognition.folds import selection_scores
from xlv.schema import SCHEMA
from xlv.statistics.jackknife import BLOCKS
from xlv.statistics.resampling import group_indices
from xlv.statistics.threads import for_each, side_by_side
from xlv.statistics.vectors import Layers, differences_of, hits

READERS = ("own", "other")  # who reads a language: its own vector, or the others', averaged
_SIDE_BY_SIDE = 2  # concepts: each holds the margins of all layers
_GRID = 8  # layers, from the first to the last, at which ρ is measured for its curve
_BOTH = {"accuracy": "chosen", "accuracy_by_layer": "accuracy", "chosen_layer": "layer"}  # of both protocols
_BOTH |= {"correct": "correct", "by_layer": "by_layer"}
ALL = "all"  # the cohort of all pairs
Cohorts = Mapping[str, np.ndarray]  # name of a cohort → indices of its pairs


@dataclass(frozen=True)
class ConceptAnalysis:
    """What is found about one concept.

    recognition, consistency  arrays by their names in SCHEMA, without the axis `concept`
    cohorts    names of the cohorts of pairs
    layers     `[language]` the layer chosen for each language's vectors under `cv`
    vectors    `[layer, language, d_model]` of all pairs
    """

    recognition: dict[str, np.ndarray]
    consistency: dict[str, np.ndarray]
    cohorts: tuple[str, ...]
    layers: np.ndarray
    vectors: np.ndarray


def analyse_concept(
    states: Layers, n_layers: int, groups: np.ndarray, *, cohorts: Cohorts | None = None, seed: int = 0
) -> ConceptAnalysis:
    """Analyse one concept; `states(layer)` gives `[language, example, d_model]`, positive examples first.

    `cohorts` are trained and tested each within itself; `all` is added. `seed` draws folds, halves and null
    distributions. One layer's states are in memory at a time. Raises ValueError for fewer than four groups.
    """
    cohorts, differences = {**(cohorts or {}), ALL: np.arange(len(groups))}, differences_of(states)
    runs = {name: accuracy.CrossValidation(group_indices(groups[pairs]), seed=seed) for name, pairs in cohorts.items()}
    vectors, curve, grid = [], np.full((2, n_layers), np.nan), np.linspace(1, n_layers, _GRID, dtype=int)

    def read() -> Iterator[np.ndarray]:
        for layer, here in enumerate(map(differences, range(1, n_layers + 1)), start=1):
            for name, run in runs.items():
                run.add(here.take(cohorts[name], axis=1))
            vectors.append(here.mean(axis=1, dtype=np.float64))
            if layer in grid:
                rho = pooled(moments.moments([here] * 2, groups, seed)).linearised()
                curve[:, layer - 1] = rho.value, rho.standard_error()
            yield here

    paper = accuracy.as_published(read())  # every layer is read once, for all of these
    found, grams = {name: run.result() for name, run in runs.items()}, runs[ALL].grams
    cv, layer = found[ALL], int(np.median(found[ALL].layer[:, 0]))
    within = [accuracy.jackknifed(differences_of(states, cohorts[n]), found[n], runs[n].groups) for n in cohorts]
    recognition = {name: np.stack([getattr(one, part) for one in (cv, paper)]) for name, part in _BOTH.items()}
    recognition |= comparisons.published_nulls(states, n_layers, seed=seed) | {
        "margin": cv.margin,
        "cohort_accuracy": np.stack([one.value for one in within]),
        "replicate": levelled([np.moveaxis(one.replicates, 0, -1) for one in within], BLOCKS).transpose(0, 3, 1, 2),
        "surplus": np.stack([one.excess for one in within]),
        "readout": _readers(np.stack(comparisons.readout(states, cv))),
        "estimated": _readers(comparisons.estimator_hits(states, cv)),
        "curve": accuracy.learning_curve(grams, groups, seed=seed),
        "shuffled": comparisons.shuffled_accuracy(differences, grams, groups, seed=seed),
        "random": comparisons.random_accuracy(states(layer), seed=seed),
        "outliers": comparisons.outliers(states(layer)),
        "group": groups,
    }
    consistency = {"cosine": np.stack([cosines(here) for here in vectors], axis=-1), "chosen_layer": layer}
    consistency |= dict(zip(("rho_by_layer", "rho_error_by_layer"), curve, strict=True))
    each = [_moments(differences_of(states, cohorts[n]), runs[n].grams, runs[n].groups, seed) for n in cohorts]
    consistency |= {name: np.stack([one[name] for one in each]) for name in each[0]}
    vectors = np.stack(vectors, dtype=np.float32)
    return ConceptAnalysis(recognition, consistency, tuple(cohorts), cv.layer[:, 0], vectors)


def _moments(differences: Layers, grams: Sequence[np.ndarray], groups: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Moments of one cohort at the layers that its halves choose, and the consistency ρ of whitened vectors."""
    others = np.stack([moments.halves(groups, seed) == half for half in (1, 0)])  # which choose for each other
    layers = moments.best_layers([selection_scores(gram, others, groups).mean(axis=0) for gram in grams])
    halved = [differences(layer) for layer in layers]
    plain, white = (moments.moments(halved, groups, seed, whiten=whiten) for whiten in (False, True))
    rho = pooled(white).linearised()
    return moments.as_arrays(plain) | {
        "moment_layer": np.array(layers),
        "whitened_rho": rho.value,
        "whitened_rho_error": rho.standard_error(),
    }


def _readers(array: np.ndarray) -> np.ndarray:
    """Of `[…, source, target, pair]` the own and the mean other reader of each target, `[…, reader, target, pair]`."""
    mine = np.moveaxis(np.diagonal(array, axis1=-3, axis2=-2), -1, -2)
    others = (array.sum(axis=-3) - mine) / max(1, array.shape[-3] - 1)
    return np.stack([mine, others if array.shape[-3] > 1 else np.full_like(mine, np.nan)], axis=-3)


def analyse_concepts(
    states: Mapping[str, Layers],
    n_layers: int,
    groups: Sequence[np.ndarray],
    *,
    cohorts: Sequence[Cohorts] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, ConceptAnalysis]:
    """Analyse each concept of `states`, several at a time; `groups` and `cohorts` are those of each concept's pairs.

    Folds and blocks are the same for the same `seed` and groups: those of two models pair their differences.
    """
    concepts, found = list(states), dict.fromkeys(states)

    def one(place: int) -> None:
        progress("analysing", sum(analysis is not None for analysis in found.values()), len(concepts))
        options = {"cohorts": cohorts and cohorts[place], "seed": seed}
        found[concepts[place]] = analyse_concept(states[concepts[place]], n_layers, groups[place], **options)

    for_each(one, range(len(concepts)), side_by_side(most=_SIDE_BY_SIDE))
    progress("analysing", len(concepts), len(concepts))
    return found


def across(found: Mapping[str, ConceptAnalysis], states: Mapping[str, Layers]) -> np.ndarray:
    """Accuracy `[concept, other, language]` of each concept's vectors on the other concepts' pairs; own: held out."""

    def on(other: str, name: str) -> np.ndarray:
        if other == name:
            return np.diagonal(found[name].recognition["accuracy"][0])
        return other_concept_accuracy(found[name].vectors, found[name].layers, states[other])

    return np.array([[on(other, name) for other in states] for name in found])


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


def levelled(rows: Sequence[np.ndarray], n_pairs: int | None = None, shape: tuple[int, ...] = ()) -> np.ndarray:
    """Arrays `[…, pair]` of different numbers of pairs as one, padded with NaN; its leading axes in another `shape`."""
    n_pairs = n_pairs or max(row.shape[-1] for row in rows)
    result = np.full((len(rows), *rows[0].shape[:-1], n_pairs), np.nan)
    for padded, row in zip(result, rows, strict=True):
        padded[..., : row.shape[-1]] = row
    return result.reshape(*shape, n_pairs) if shape else result


def _dataset(
    question: str,
    found: Mapping[str, ConceptAnalysis],
    concepts: Mapping[str, Mapping[str, np.ndarray]],
    languages: Sequence[str],
) -> xr.Dataset:
    """The arrays of several concepts as one, with the axes that SCHEMA gives them; fewer pairs are padded with NaN."""
    rows, variables = list(concepts.values()), {}
    for name in rows[0]:
        dims, arrays = SCHEMA[question][name].dims, [row[name] for row in rows]
        if dims[0] == "cohort":  # a concept whose pairs are of one has `all`, the last, alone
            short = [(max(map(len, arrays)) - len(row), *row.shape[1:]) for row in arrays]
            arrays = [np.concatenate([np.full(shape, np.nan), row]) for shape, row in zip(short, arrays, strict=True)]
        stacked = levelled(arrays) if dims[-1] == "pair" else np.stack(arrays)
        variables[name] = dims, np.moveaxis(stacked, 0, dims.index("concept"))
    cohorts = max((one.cohorts for one in found.values()), key=len)
    dataset = xr.Dataset(variables, {"concept": list(concepts), "source": list(languages), "target": list(languages)})
    return dataset.assign_coords(layer=range(1, dataset.sizes["layer"] + 1), cohort=list(cohorts))


def recognition_arrays(
    found: Mapping[str, ConceptAnalysis],
    states: Mapping[str, Layers],
    languages: Sequence[str],
    surface: Sequence[np.ndarray],
) -> xr.Dataset:
    """Recognition of all concepts under both protocols, with nulls, readouts and estimators.

    `states` and `surface` `[surface, language, pair]` are per concept.
    """
    rows = {name: found[name].recognition | {"surface": s} for name, s in zip(found, surface, strict=True)}
    dataset = _dataset("recognition", found, rows, languages)
    coords = {"protocol": ("cv", "paper"), "other": found, "pair": range(1, dataset.sizes["pair"] + 1)}
    coords |= {"estimator": comparisons.ESTIMATORS, "size": accuracy.CURVE, "measure": comparisons.Readout._fields}
    coords |= {"reader": READERS, "surface_kind": SURFACES}
    dataset["across"] = SCHEMA["recognition"]["across"].dims, across(found, states)
    return dataset.assign_coords({name: list(labels) for name, labels in coords.items()})


def consistency_arrays(found: Mapping[str, ConceptAnalysis], languages: Sequence[str]) -> xr.Dataset:
    """Consistency of all concepts: the paper's plain cosine, and moments."""
    return _dataset("consistency", found, {name: one.consistency for name, one in found.items()}, languages)
