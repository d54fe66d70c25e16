"""The claims ledger: the evidence of results on disk, judged by rules."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from xlv.analysis.claims import Evidence, Finding, Moved, controllable, judge, scaled
from xlv.analysis.rules import CLAIMS, GATE, OPEN, RULES
from xlv.corpus.distances import linguistic_similarity
from xlv.report.tables.common import dominant_languages, resource_ranks, value_accuracy, value_concepts
from xlv.report.tables.consistency import consistency_matrix
from xlv.report.tables.recognition import best_surface, own_estimate

__all__ = ["GATE", "evidence", "findings", "ledger", "rules"]
Results = Mapping[str, xr.Dataset]


def evidence(recognition: xr.Dataset, consistency: xr.Dataset) -> Evidence:
    """What one model's results say on claims 1 to 7, under protocol `cv`, means over its value concepts."""
    surface, found = best_surface(recognition), value_accuracy(recognition)
    chosen = consistency.sel(concept=value_concepts(consistency))
    codes = [str(code) for code in recognition["source"].values]
    return Evidence(
        accuracy=found.value,
        accuracy_samples=found.samples,
        surface=surface.value,
        surface_samples=surface.samples,
        corrected=chosen["corrected_mean"].mean("concept").values,
        reliability=chosen["reliability"].mean("concept").values,
        consistency=consistency_matrix(consistency).to_numpy(),
        similarity=linguistic_similarity(codes),
        ranks=resource_ranks(recognition),
        dominant=dominant_languages(recognition),
    )


def findings(
    recognition: Results, consistency: Results, control: Mapping[str, Mapping[str, Moved]], series: Results
) -> dict[str, list[Finding]]:
    """Findings on all eight claims, a list a model.

    `control` gives the moves of question 4 a model, where it was asked; `series` the recognition of two models of one
    series on the same pairs, the smaller first, for claim 2: it is said of the larger one.
    """
    found = {}
    for model, dataset in recognition.items():
        first, *others = judge(evidence(dataset, consistency[model]))
        fourth = controllable(control.get(model, {}))
        found[model] = [first, _scaled(model, series), *others, fourth]
    return found


def _scaled(model: str, series: Results) -> Finding:
    if len(series) != 2 or model != list(series)[1]:
        return Finding(2, *[float("nan")] * 3, OPEN, "not the larger of two models of one series on the same pairs")
    smaller, larger = (own_estimate(dataset) for dataset in series.values())
    return scaled((smaller.value, smaller.samples), (larger.value, larger.samples))


def ledger(found: Mapping[str, list[Finding]], titles: Mapping[str, str]) -> pd.DataFrame:
    """One row a claim and model: value, simultaneous interval, verdict and why."""
    rows = [
        {"claim": f.claim, "says": CLAIMS[f.claim], "model": titles[model], "value": f.value, "low": f.low,
         "high": f.high, "verdict": f.verdict, "why": f.why}
        for model, findings_ in found.items() for f in findings_
    ]  # fmt: skip
    return pd.DataFrame(rows).sort_values("claim", kind="stable").reset_index(drop=True)


def rules() -> pd.DataFrame:
    """What each claim says and the rule by which it is judged."""
    return pd.DataFrame({"claim": CLAIMS, "rule": RULES}).rename_axis("number").reset_index()
