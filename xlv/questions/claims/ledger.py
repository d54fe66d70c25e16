"""The claims ledger: the evidence of results on disk, judged by rules."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.distances import linguistic_similarity
from xlv.questions.claims.rules import CLAIMS, GATE, OPEN, RULES
from xlv.questions.claims.verdicts import Evidence, Finding, Moved, controllable, judge, scaled
from xlv.questions.common import dominant_languages, resource_ranks, value_accuracy, value_concepts
from xlv.questions.consistency.tables import consistency_matrix
from xlv.questions.recognition.tables import best_surface, own_estimate
from xlv.report.formats import plain, signed, unbroken
from xlv.report.titles import told_apart

__all__ = ["GATE", "evidence", "findings", "ledger", "rules", "statistic", "value"]
_COUNTS, _LEVELS = (1, 4), (3, 8)  # claims whose statistic is a count, or a level; the others have differences
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
    """As a reader sees it, one row a claim and model: value and simultaneous interval, and the verdict with its reason.

    The number of a claim stands in its first row only.
    """
    names = told_apart(titles[model] for model in found)
    rows = [
        {
            "claim": f.claim,
            "model": name,
            "value (interval)": unbroken(statistic(f) or "–"),
            "verdict": f"{f.verdict} ({f.why})" if f.why else f.verdict,
        }
        for name, findings_ in zip(names, found.values(), strict=True)
        for f in findings_
    ]
    table = pd.DataFrame(rows).sort_values("claim", kind="stable").reset_index(drop=True)
    return table.assign(claim=table["claim"].astype(str).mask(table["claim"].duplicated(), ""))


def statistic(finding: Finding) -> str:
    """A finding's value with its simultaneous interval, as short as a cell."""
    if not np.isfinite(finding.low):
        return value(finding)
    return f"{value(finding)} ({_written(finding, finding.low)} to {_written(finding, finding.high)})"


def value(finding: Finding) -> str:
    """A finding's value alone; nothing where it has none."""
    return _written(finding, finding.value) if np.isfinite(finding.value) else ""


def _written(finding: Finding, number: float) -> str:
    if finding.claim in _COUNTS:
        return f"{number:.0f}"
    return plain(number) if finding.claim in _LEVELS else signed(number)


def rules() -> pd.DataFrame:
    """What each claim says and the rule by which it is judged."""
    return pd.DataFrame({"claim": CLAIMS, "rule": RULES}).rename_axis("number").reset_index()
