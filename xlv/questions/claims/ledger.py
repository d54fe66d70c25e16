"""The claims ledger: the evidence of results on disk, judged by rules."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from xlv.corpus.languages import linguistic_similarity
from xlv.questions.claims.rules import OPEN
from xlv.questions.claims.verdicts import Evidence, Finding, Moved, controllable, encoded, judge, scaled
from xlv.questions.common import dominant_languages, resource_ranks, value_accuracy
from xlv.questions.consistency.tables import consistency_matrix, mean_corrected, reliability
from xlv.questions.recognition.tables import best_surface, own_estimate
from xlv.statistics.resampling import Estimate

Results = Mapping[str, xr.Dataset]


def evidence(recognition: xr.Dataset, consistency: xr.Dataset) -> Evidence:
    """What one model's results say on claims 1 to 7, under protocol `cv`, means over its value concepts."""
    return Evidence(
        accuracy=value_accuracy(recognition),
        surface=best_surface(recognition),
        corrected=mean_corrected(consistency),
        reliability=reliability(consistency),
        consistency=consistency_matrix(consistency).to_numpy(),
        similarity=linguistic_similarity([str(code) for code in recognition["source"].values]),
        ranks=resource_ranks(recognition),
        dominant=dominant_languages(recognition),
    )


def findings(
    recognition: Results, consistency: Results, control: Mapping[str, Mapping[str, Moved]], series: Results
) -> dict[str, list[Finding]]:
    """Findings on all eight claims, a list per model.

    `control` gives the moves of question 4 per model, where it was asked; `series` the recognition of two models of
    one series on the same pairs, the smaller first, for claim 2: it is said of the larger one.
    """
    found = {}
    for model, dataset in recognition.items():
        first, *others = judge(evidence(dataset, consistency[model]))
        fourth = controllable(control.get(model, {}))
        found[model] = [first, _scaled(model, series), *others, fourth]
    return found


def _scaled(model: str, series: Results) -> Finding:
    if len(series) != 2 or model != list(series)[1]:
        why = "not the larger of two models of one series on the same pairs"
        return Finding(2, np.nan, np.nan, np.nan, OPEN, why)
    return scaled(*map(own_estimate, series.values()))


def read(dataset: xr.Dataset, protocol: str = "cv") -> Finding:
    """In how many languages own vectors are read, counted as for claim 1."""
    vectors, surface = own_estimate(dataset, protocol), best_surface(dataset)
    defined = np.isfinite(vectors.samples).all(axis=1)  # one split has few test pairs: a resample may draw none
    return encoded(*(Estimate(found.value, found.samples[defined]) for found in (vectors, surface)))
