"""What the analysis finds, as labelled arrays; concepts with fewer pairs than others are padded with NaN."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from xlv.corpus.concepts import CONTROLS
from xlv.corpus.shortcut import SURFACES
from xlv.questions.concept import ConceptAnalysis, across
from xlv.questions.recognition.accuracy import CURVE
from xlv.questions.recognition.estimators import ESTIMATORS
from xlv.results import SCHEMA
from xlv.statistics.vectors import Layers

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
