"""Findings of several models by claim, concept and cohort, and what they come to: confirmed, supported, undecided."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from xlv.models.presets import PRESETS
from xlv.questions.claims import verdicts as rules
from xlv.questions.claims.evidence import Evidence, evidence_of
from xlv.questions.claims.verdicts import FAILS, HOLDS, NOT_ASKED, UNDECIDED, Finding
from xlv.questions.common import value_concepts
from xlv.questions.consistency.pooled import pooled
from xlv.results import Results

FIRST, SECOND, ALL = "first", "second", "all"
CONFIRMED, SUPPORTED = "confirmed", "supported"
ORDER = ("English", "bilingual", "multilingual")  # of multilinguality
_COMPARED = {  # what claim M compares, and which sign the paper reports for the more multilingual model
    "ρ": (lambda e: pooled(e.moments).linearised(), 1),
    "source gradient": (rules.source_gradient, -1),
    "triangle": (rules.triangle, -1),
}


def cohorts_of(dataset: xr.Dataset) -> dict[str, str]:
    """By cohort its name in the dataset: pairs of one cohort alone stand there as `all`."""
    names = [str(name) for name in dataset["cohort"].values]
    return {str(dataset.attrs["cohort"]): ALL} if len(names) == 1 else {name: name for name in names}


def evidence(recognition: Results, consistency: Results, cohort: str) -> dict[str, dict[str, Evidence]]:
    """Evidence by model and value concept, of the models and concepts that have this cohort."""
    found: dict[str, dict[str, Evidence]] = {}
    for model, dataset in recognition.items():
        if "cohort_accuracy" in dataset and model in consistency and cohort in (names := cohorts_of(dataset)):
            here = dataset["cohort_accuracy"].sel(cohort=names[cohort])
            known = [c for c in value_concepts(dataset) if np.isfinite(here.sel(concept=c)).all()]
            found[model] = {c: evidence_of(dataset, consistency[model], names[cohort], c) for c in known}
    return found


def findings(recognition: Results, consistency: Results) -> pd.DataFrame:
    """All findings: columns `model`, `concept`, `cohort`, `part` (what of claim M) and those of Finding."""
    rows = []
    for cohort in (FIRST, SECOND, ALL):
        known = evidence(recognition, consistency, cohort)
        for model, concepts in known.items():
            rows += [(model, c, cohort, "", found) for c, e in concepts.items() for found in rules.judge(e)]
        rows += [(*row[:2], cohort, *row[2:]) for row in _compared(recognition, known)]
    names = ["model", "concept", "cohort", "part"]
    table = pd.DataFrame([dict(zip(names, row, strict=False)) | asdict(row[4]) for row in rows])
    return table if len(table) else pd.DataFrame(columns=[*names, *Finding.__dataclass_fields__])


def _compared(
    recognition: Results, known: Mapping[str, Mapping[str, Evidence]]
) -> Iterator[tuple[str, str, str, Finding]]:
    """Findings on two models at a time: claim 2 within a series, claim M on models of different multilinguality."""
    presets = {model: PRESETS.get(recognition[model].attrs["preset"]) for model in known}
    size = {model: float(recognition[model].attrs["parameters"]) for model in known}
    for one, other in combinations([model for model in known if presets[model] is not None], 2):
        if recognition[one].attrs["corpus"] != recognition[other].attrs["corpus"]:
            continue
        small, large = sorted((one, other), key=size.__getitem__)
        fewer, more = sorted((one, other), key=lambda model: ORDER.index(presets[model].multilinguality))
        enough = [c for c, e in known[one].items() if len(e.accuracy.replicates) >= rules.SITUATIONS]
        both = [concept for concept in enough if concept in known[other]]
        if presets[one].series == presets[other].series:
            yield from ((large, c, small, rules.larger(known[small][c], known[large][c])) for c in both)
        elif presets[fewer].multilinguality != presets[more].multilinguality:
            for concept in both:
                for part, found in _multilingual(known[fewer][concept], known[more][concept]).items():
                    yield more, concept, f"{part}, minus {fewer}", found


def _multilingual(fewer: Evidence, more: Evidence) -> dict[str, Finding]:
    found = {}
    for part, (statistic, sign) in _COMPARED.items():
        asked = all(rules.asked(e) and (part != "ρ" or not rules.unreadable(e, rules.FEW)) for e in (fewer, more))
        unread = Finding("M", why="one of the two models does not read it")
        found[part] = rules.multilingual("M", statistic(fewer), statistic(more), sign) if asked else unread
    return found


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """One row per claim, model, concept and part: what the cohorts come to.

    `status` is confirmed (decided on the second cohort alone), supported (on both pooled only), undecided or not asked;
    the other columns are those of the finding that it rests on.
    """
    rows = []
    for _, group in table.groupby(["claim", "model", "concept", "part"], sort=False):
        by_cohort = group.set_index("cohort")
        shown = [cohort for cohort in (SECOND, ALL) if cohort in by_cohort.index] or list(by_cohort.index)
        decided = [cohort for cohort in shown if by_cohort.loc[cohort, "verdict"] in (HOLDS, FAILS)]
        asked = [cohort for cohort in shown if by_cohort.loc[cohort, "verdict"] == UNDECIDED]
        cohort = (decided or asked[::-1] or shown)[0]
        status = {SECOND: CONFIRMED}.get(cohort, SUPPORTED) if decided else UNDECIDED if asked else NOT_ASKED
        rows.append(by_cohort.loc[cohort].to_dict() | {"cohort": cohort, "status": status})
    return pd.DataFrame(rows, columns=[*table.columns, "status"])


def tally(table: pd.DataFrame) -> pd.DataFrame:
    """Counts of `verdicts` by claim: confirmed and supported, each holding and not holding, undecided, not asked."""
    kind = table["status"].where(
        table["status"].isin([UNDECIDED, NOT_ASKED]), table["status"] + ": " + table["verdict"]
    )
    columns = [f"{status}: {verdict}" for status in (CONFIRMED, SUPPORTED) for verdict in (HOLDS, FAILS)]
    counts = pd.crosstab(table["claim"], kind).reindex(columns=[*columns, UNDECIDED, NOT_ASKED], fill_value=0)
    return counts.reindex([claim for claim in rules.CLAIMS if claim in counts.index])
