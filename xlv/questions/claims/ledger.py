"""The claims ledger: the evidence of results on disk, judged by rules."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import linguistic_similarity
from xlv.questions.claims.verdicts import Evidence, Finding, controllable, encoded, judge, scaled
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
    recognition: Results, consistency: Results, control: Mapping[str, Mapping[str, pd.DataFrame]], series: Results
) -> dict[str, list[Finding]]:
    """Findings on all eight claims, a list per model.

    `control` gives the moves of question 4 per model, where it was asked; `series` the recognition of two models of
    one series on the same pairs, the smaller first, for claim 2: it is said of the larger one.
    """
    found, larger = {}, list(series)[1] if len(series) == 2 else None
    for model, dataset in recognition.items():
        second = Finding(2, why="not the larger of two models of one series on the same pairs")
        if model == larger:
            second = scaled(*map(own_estimate, series.values()))
        first, *others = judge(evidence(dataset, consistency[model]))
        found[model] = [first, second, *others, controllable(control.get(model, {}))]
    return found


def read(dataset: xr.Dataset, protocol: str = "cv") -> Finding:
    """In how many languages own vectors are read, counted as for claim 1."""
    vectors, surface = own_estimate(dataset, protocol), best_surface(dataset)
    defined = np.isfinite(vectors.samples).all(axis=1)  # one split has few test pairs: a resample may draw none
    return encoded(*(Estimate(found.value, found.samples[defined]) for found in (vectors, surface)))
