"""Answers in words: the phrases of `assets/phrases.toml` filled with computed numbers."""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions.as_published import summary
from xlv.questions.claims.control import gained_by_language
from xlv.questions.claims.ledger import Ledger
from xlv.questions.claims.verdicts import NOT_ASKED, OF_CONTROL
from xlv.questions.control import rates, scores
from xlv.questions.control.gated import BLIND, CARRIED, RESET, is_gated, knowing_table
from xlv.questions.control.judge import load_validation, quality_table
from xlv.report.formats import Said, say, short
from xlv.report.ledger import KINDS, kinds, names, number
from xlv.results import Results, is_published
from xlv.schema import BASELINE, DIRECTIONS, EFFECT, HARMFUL, HARMLESS, REFUSING


def names_of(codes: list[str]) -> Said:
    """Names of languages as a list in words."""
    names = [language(code).name for code in codes] or ["none"]
    return Said(" and ").join([Said(", ").join(names[:-1]), names[-1]][len(names) == 1 :])


def as_published(recognition: Results, consistency: Results) -> str:
    """The paper's own measures: own accuracy, accuracy across languages, and plain cosine where known."""
    rows = summary(recognition, consistency).iterrows()
    phrases = ["own", "accuracy", "model"]
    lines = [say("published", phrases[np.isfinite(row[["across", "cosine"]]).sum()], title=t, **row) for t, row in rows]
    if not any(map(is_published, recognition.values())):
        lines.append(say("published", "none"))
    return "\n".join(lines)


def controlled(found: Ledger) -> str:
    """Claim 8 model by model, each finding."""
    said = {name: of_control(found, model) for model, name in names(found).items()}
    return "\n".join(say("short", "control", name=name, verdicts=verdicts) for name, verdicts in said.items())


def of_control(found: Ledger, model: str) -> Said:
    """What claim 8 comes to for a model, finding by finding; why not where it was not asked."""
    rows = pd.concat([found.rows(claim, model) for claim in OF_CONTROL])
    told = [*zip(rows.to_dict("records"), kinds(rows), strict=True)]
    told = [(row, kind) for row, kind in told if kind != NOT_ASKED]
    if not told:
        return say("short", "no_control", why=rows["why"].iloc[0] if len(rows) else say("short", "not_put"))
    said = ({**row, "number": Said(number(row["claim"], row["value"])), "kind": Said(kind)} for row, kind in told)
    return Said("; ").join(say("short", "finding", **row) for row in said)


def tally(found: Ledger) -> str:
    """How many verdicts of each kind there are on concepts, and which models have none."""
    of = kinds(found.verdicts).value_counts()
    counts = {f"n{place}": int(of.get(kind, 0)) for place, kind in enumerate(KINDS)}
    lines = [say("claims", "tally", total=len(found.verdicts), **counts)] if len(found.verdicts) else []
    return "\n".join(lines + [say("claims", "unjudged", title=title) for title in found.unjudged])


def refusals(datasets: Results) -> str:
    """Refusal rates of harmful instructions without control and in both directions, for models that refuse."""
    lines = []
    for dataset in datasets.values():
        if not rates.hardly_refuses(dataset):
            refused = rates.mean_rates(dataset, without=dataset.attrs["source"])[HARMFUL][[BASELINE, *DIRECTIONS]]
            numbers = dict(zip(("baseline", "refusing", "following"), refused, strict=True))
            lines.append(say("refusals", "model", name=short(dataset.attrs["title"]), **numbers))
    return " ".join(lines)


def control(datasets: Results) -> str:
    """Question 4 in words: what the source language's vector does to refusals in all languages, and at what cost."""
    lines = []
    for dataset in datasets.values():
        lines.append(_gated(dataset))
        by_score = rates.hardly_refuses(dataset)
        lines += [_hardly_refuses(dataset)] if by_score else []
        lines += [(_score_moved if by_score else _rate_moved)(dataset, direction) for direction in DIRECTIONS]
    return "\n".join(lines) or say("few", "not_asked")


def _gated(dataset: xr.Dataset) -> str:
    """What is known of harm and not acted on, and what a gate makes of it: means over the other languages."""
    title, source = dataset.attrs["title"], dataset.attrs["source"]
    if not is_gated(dataset):
        return say("control", "outdated", title=title)
    known = knowing_table(dataset)
    others = known["target"] != source
    known = (known[others] if others.any() else known).groupby("reader")["auroc"].mean()
    said = say("control", "known", **_about(dataset), state=known["state"], score=known["refusal score"])
    kept = rates.selectivity_table(dataset)
    means = kept[kept["target"] != source].groupby("condition")["selectivity"].mean()
    if CARRIED not in means:
        return said
    gains = gained_by_language(dataset)
    better = [str(code) for code in gains.index[(gains["p_holm"] < 0.05) & (gains["gain"] > 0)]]
    numbers = {"none": means[BASELINE], "steered": means[REFUSING], "carried": means[CARRIED], "reset": means[RESET]}
    numbers |= {"blind": means[BLIND], "better": len(better), "of": len(gains)}
    return f"{said} {say('control', 'gated', names=Said(': ') + names_of(better) if better else '', **numbers)}"


def _about(dataset: xr.Dataset) -> dict[str, str]:
    return {"title": dataset.attrs["title"], "source": language(dataset.attrs["source"]).name}


def _rate_moved(dataset: xr.Dataset, direction: str) -> str:
    mean = rates.mean_rates(dataset, without=dataset.attrs["source"])
    numbers = {"before": mean[HARMFUL, BASELINE], "after": mean[HARMFUL, direction]}
    numbers |= {"over_before": mean[HARMLESS, BASELINE], "over_after": mean[HARMLESS, direction]}
    return say("control", "rate", direction=direction, **_about(dataset), **numbers)


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


def judge() -> str:
    """How good the rule judge is, in words."""
    validation = load_validation()
    errors = {} if validation is None else quality_table(validation).loc["all"]
    return say("judge", "none" if validation is None else "errors", **errors)
