"""What a verdict rests on: one concept of one model, in one cohort of situations."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from xlv.questions.common import concept_accuracy, dominant_languages, indo_european, resource_ranks
from xlv.questions.consistency.linguistics import composite_similarity
from xlv.questions.consistency.moments import Moments, read_moments
from xlv.statistics.jackknife import Replicated, blocks
from xlv.statistics.resampling import group_indices


@dataclass(frozen=True)
class Evidence:
    """One concept of one model.

    accuracy      `[source, target]` recognition accuracy under `cv`
    surface       `[surface_kind, language]` accuracy of surface classifiers on the same pairs
    moments       inner products of the concept vectors
    ranks         `[language]` place in the resource order, 0 the best resourced
    dominant      `[language]` marks of the languages that dominate the model's training
    european      `[language]` marks of the Indo-European languages, which are rich ones by no accident
    similarity    `[language, language]` one composite of genetic, syntactic and geographic similarity
    """

    accuracy: Replicated
    surface: Replicated
    moments: Moments
    ranks: np.ndarray
    dominant: np.ndarray
    european: np.ndarray
    similarity: np.ndarray

    @property
    def own(self) -> Replicated:
        """Accuracy `[language]` of each language's own vector."""
        return self.accuracy.of(lambda a: np.diagonal(a, axis1=-2, axis2=-1))

    @property
    def cross(self) -> Replicated:
        """Mean accuracy over the cells of two different languages."""
        off = ~np.eye(len(self.ranks), dtype=bool)
        return self.accuracy.of(lambda a: a[..., off].mean(axis=-1))


def evidence_of(recognition: xr.Dataset, consistency: xr.Dataset, cohort: str, concept: str) -> Evidence:
    """The evidence on one concept in results of one model; raises KeyError for a cohort or concept they lack."""
    place, languages = {"cohort": cohort, "concept": concept}, [str(code) for code in recognition["source"].values]
    surface = recognition["cohort_surface"].sel(place).dropna("pair", how="all")
    block = blocks(group_indices(recognition["group"].sel(concept=concept, pair=surface["pair"]).values))
    left = [surface.values[..., block != b].mean(axis=-1) for b in range(block.max() + 1)]
    moments = consistency.sel(place)
    return Evidence(
        accuracy=concept_accuracy(recognition, concept, cohort),
        surface=Replicated(surface.values.mean(axis=-1), np.stack(left)),
        moments=read_moments(*(moments[name].values for name in ("moment", "moment_replicate", "moment_surplus"))),
        ranks=resource_ranks(recognition),
        dominant=dominant_languages(recognition),
        european=indo_european(recognition),
        similarity=composite_similarity(languages),
    )
