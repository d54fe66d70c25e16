"""What the analysis finds, as labelled arrays; concepts with fewer pairs than others are padded with NaN."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from xlv.corpus.concepts import CONTROLS
from xlv.corpus.shortcut import SURFACES
from xlv.questions.concept import ConceptAnalysis
from xlv.questions.recognition.accuracy import CURVE
from xlv.questions.recognition.estimators import ESTIMATORS

Found = Mapping[str, ConceptAnalysis]
PLACES = ("concept", "source", "target")
MEASURES = ("auroc", "carried", "centred")
READERS = ("own", "other")  # who reads a language: its own vector, or the others', averaged


def padded(array: np.ndarray, n_pairs: int) -> np.ndarray:
    """The array with NaN behind its last axis, up to `n_pairs`."""
    width = [(0, 0)] * (array.ndim - 1) + [(0, n_pairs - array.shape[-1])]
    return np.pad(array.astype(float), width, constant_values=np.nan)


def _stacked(found: Found, pick: Callable[[ConceptAnalysis], np.ndarray]) -> np.ndarray:
    return np.stack([pick(analysis) for analysis in found.values()])


def recognition_arrays(
    found: Found, languages: Sequence[str], groups: Sequence[np.ndarray], surface: Sequence[np.ndarray]
) -> xr.Dataset:
    """Recognition of all concepts under both protocols, with nulls, readouts and estimators.

    `groups` `[pair]` and `surface` `[surface, language, pair]` are given a concept; `resampled` is over values.
    """
    n_pairs = max(map(len, groups))

    def both(pick) -> np.ndarray:
        return np.stack([_stacked(found, lambda a, p=p: pick(getattr(a, p))) for p in ("cv", "paper")])

    protocol = ("protocol", *PLACES)
    return xr.Dataset(
        {
            "accuracy": ((*protocol, "layer"), both(lambda r: r.accuracy)),
            "correct": ((*protocol, "pair"), both(lambda r: padded(r.correct, n_pairs))),
            "margin": (PLACES, _stacked(found, lambda a: a.cv.margin)),
            "chosen_layer": (protocol, both(lambda r: r.layer)),
            "by_layer": (("protocol", "concept", "layer", "pair"), both(lambda r: padded(r.by_layer, n_pairs))),
            "readout": (
                ("concept", "measure", "reader", "source", "pair"),
                _stacked(found, lambda a: _readers(np.stack([getattr(a.readout, name) for name in MEASURES]), n_pairs)),
            ),
            "estimated": (
                ("concept", "estimator", "reader", "source", "pair"),
                _stacked(found, lambda a: _readers(a.estimators, n_pairs)),
            ),
            "curve": (("concept", "size", "source", "pair"), _stacked(found, lambda a: padded(a.curve, n_pairs))),
            "resampled": (
                ("resample", "source", "target"),
                _stacked(
                    {name: a for name, a in found.items() if name not in CONTROLS} or found, lambda a: a.resampled
                ).mean(axis=0),
            ),
            "shuffled": (("concept", "shuffle", "source", "target"), _stacked(found, lambda a: a.shuffled)),
            "random": (("concept", "draw", "source"), _stacked(found, lambda a: a.random)),
            "group": (("concept", "pair"), np.stack([padded(g, n_pairs) for g in groups])),
            "surface": (("concept", "surface_kind", "source", "pair"), np.stack([padded(s, n_pairs) for s in surface])),
        },
        coords={
            "protocol": ["cv", "paper"],
            "concept": list(found),
            "source": list(languages),
            "target": list(languages),
            "layer": _layers(found),
            "pair": np.arange(1, n_pairs + 1),
            "estimator": list(ESTIMATORS),
            "size": list(CURVE),
            "measure": list(MEASURES),
            "reader": list(READERS),
            "surface_kind": list(SURFACES),
        },
    )


def consistency_arrays(found: Found, languages: Sequence[str]) -> xr.Dataset:
    """Consistency of all concepts: the paper's plain cosine, and the corrected one at each concept's chosen layer."""
    return xr.Dataset(
        {
            "cosine": ((*PLACES, "layer"), _stacked(found, lambda a: a.cosine)),
            "corrected": (PLACES, _stacked(found, lambda a: a.halves.corrected)),
            "corrected_low": (PLACES, _stacked(found, lambda a: a.halves.low)),
            "corrected_high": (PLACES, _stacked(found, lambda a: a.halves.high)),
            "reliability": (("concept", "source"), _stacked(found, lambda a: a.halves.reliability)),
            "corrected_mean": (("concept", "split"), _stacked(found, lambda a: a.halves.mean)),
            "corrected_profile": (("concept", "layer", "halving"), _stacked(found, lambda a: a.profile.corrected)),
            "reliability_profile": (("concept", "layer", "halving"), _stacked(found, lambda a: a.profile.reliability)),
            "chosen_layer": (("concept",), [a.layer for a in found.values()]),
        },
        coords={"concept": list(found), "source": list(languages), "target": list(languages), "layer": _layers(found)},
    )


def _readers(array: np.ndarray, n_pairs: int) -> np.ndarray:
    """Of `[…, source, target, pair]` the own and the mean other reader of each target, `[…, reader, target, pair]`."""
    own = np.moveaxis(np.diagonal(array, axis1=-3, axis2=-2), -1, -2)
    others = (array.sum(axis=-3) - own) / max(1, array.shape[-3] - 1)
    return padded(np.stack([own, others if array.shape[-3] > 1 else np.full_like(own, np.nan)], axis=-3), n_pairs)


def _layers(found: Found) -> np.ndarray:
    return np.arange(1, next(iter(found.values())).cosine.shape[-1] + 1)
