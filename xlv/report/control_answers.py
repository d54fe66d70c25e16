"""The answer to question 4 in words: the phrases of `assets/phrases.toml` filled with computed numbers."""

import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions.control import rates, scores
from xlv.questions.control.judge import load_validation, quality_table
from xlv.report.answers import names_of
from xlv.report.formats import counted, say
from xlv.results import BASELINE, DIRECTIONS, EFFECT, HARMFUL, HARMLESS, REFUSING, Results


def control(datasets: Results) -> str:
    """Question 4 in words: what the source language's vector does to refusals in all languages, and at what cost."""
    lines = []
    for dataset in datasets.values():
        by_score = rates.hardly_refuses(dataset)
        lines.append(_hardly_refuses(dataset) if by_score else _without_control(dataset))
        auroc = scores.auroc_table(dataset)
        for direction in DIRECTIONS:
            moved = _score_moved(dataset, direction) if by_score else _rate_moved(dataset, direction)
            beaten, count = scores.beats_random(dataset, direction)
            noise = say("control", "random", beaten=len(beaten), of=dataset.sizes["target"], count=count)
            lines.append(" ".join([moved, _matched(auroc, direction), *([noise] if count else [])]))
    return "\n".join(lines)


def _about(dataset: xr.Dataset) -> dict[str, str]:
    return {"title": dataset.attrs["title"], "source": language(dataset.attrs["source"]).name}


def _without_control(dataset: xr.Dataset) -> str:
    """Where refusals without control distinguish harm from harmlessness, and where they do not."""
    mean, blind = rates.mean_rates(dataset), rates.blind_languages(dataset)
    where = say("control", "blind", names=names_of(blind)) if blind else "."
    numbers = {"refusal": mean[HARMFUL, BASELINE], "over": mean[HARMLESS, BASELINE]}
    return say("control", "without", title=dataset.attrs["title"], none=BASELINE, where=where, **numbers)


def _rate_moved(dataset: xr.Dataset, direction: str) -> str:
    mean, changes = (
        rates.mean_rates(dataset, without=dataset.attrs["source"]),
        rates.refusal_changes(dataset, direction),
    )
    moved = [str(code) for code in changes.index[changes["p_holm"] < 0.05]]
    numbers = {"before": mean[HARMFUL, BASELINE], "after": mean[HARMFUL, direction], "moved": len(moved)}
    numbers |= {"over_before": mean[HARMLESS, BASELINE], "over_after": mean[HARMLESS, direction], "of": len(changes)}
    names = f": {names_of(moved)}" if moved else ""
    return say("control", "rate", direction=direction, names=names, **_about(dataset), **numbers)


def _hardly_refuses(dataset: xr.Dataset) -> str:
    """Why the score is what to read."""
    if not rates.is_generated(dataset):
        return say("control", "no_template", title=dataset.attrs["title"])
    mean = rates.mean_rates(dataset)[HARMFUL]
    numbers = {"before": mean[BASELINE], "after": mean[REFUSING]}
    return say("control", "hardly_refuses", title=dataset.attrs["title"], direction=REFUSING, **numbers)


def _score_moved(dataset: xr.Dataset, direction: str) -> str:
    found = scores.score_table(dataset).loc[direction]
    shift = found.drop(dataset.attrs["source"], errors="ignore").mean()
    numbers = {"shift": shift, "right": int((EFFECT[direction] * found > 0).sum()), "of": len(found)}
    return say("control", "score", direction=direction, **_about(dataset), **numbers)


def _matched(auroc: pd.DataFrame, direction: str) -> str:
    """What the score's AUROC says: whether control distinguishes harm better, or only moves the threshold."""
    mean, rows = auroc.groupby("condition")["auroc"].mean(), auroc[auroc["condition"] == direction]
    better, worse = (int(marks.sum()) for marks in (rows["change_low"] > 0, rows["change_high"] < 0))
    numbers = {"before": mean[BASELINE], "after": mean[direction], "worse": worse}
    return say("control", "matched", better=counted(better, "language"), **numbers)


def judge() -> str:
    """How good the rule judge is, in words."""
    validation = load_validation()
    return (
        say("judge", "none") if validation is None else say("judge", "errors", **quality_table(validation).loc["all"])
    )
