"""Answers in words: the phrases of `assets/phrases.toml` filled with computed numbers."""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions.as_published import summary
from xlv.questions.claims.control import gained_by_language
from xlv.questions.claims.ledger import CLAIMS, Ledger
from xlv.questions.claims.verdicts import NOT_ASKED, OF_CONTROL, READ
from xlv.questions.common import between
from xlv.questions.consistency.tables import consistency_matrix
from xlv.questions.control import rates, scores
from xlv.questions.control.gated import BLIND, CARRIED, RESET, is_gated, knowing_table
from xlv.questions.control.judge import load_validation, quality_table
from xlv.questions.recognition.tables import own_accuracy
from xlv.questions.transfer.tables import transfer_summary
from xlv.report.formats import Said, counted, say, short
from xlv.report.ledger import KINDS, kinds, names, number
from xlv.results import Results, is_published
from xlv.schema import BASELINE, DIRECTIONS, EFFECT, HARMFUL, HARMLESS, REFUSING


def names_of(codes: list[str]) -> Said:
    """Names of languages as a list in words."""
    names = [language(code).name for code in codes] or ["none"]
    return Said(" and ").join([Said(", ").join(names[:-1]), names[-1]][len(names) == 1 :])


def in_concepts(found: Ledger, claim: str, model: str, *, named: bool = False) -> Said:
    """In how many concepts, or in which, a claim about a model holds or does not, and in how many it is undecided."""
    rows = found.rows(claim, model)
    if not len(rows):
        return say("verdicts", "unjudged")
    by_kind = rows["concept"].groupby(kinds(rows)).agg(list)
    words = []
    for kind in (kind for kind in KINDS if kind in by_kind):
        which = Said(": ") + Said(", ").join(by_kind[kind]) if named else ""
        words.append(say("verdicts", kind, count=len(by_kind[kind]), which=which))
    return say("verdicts", "all", count=counted(len(rows), "concept"), verdicts=Said(", ").join(words))


def _claims(found: Ledger, model: str, *claims: str) -> Said:
    judged = {CLAIMS[claim]["says"].rstrip("."): in_concepts(found, claim, model, named=True) for claim in claims}
    return Said(" ").join(say("verdicts", "claim", says=says, verdicts=said) for says, said in judged.items())


def recognition(datasets: Results, protocol: str = "cv") -> str:
    """Question 1: how well each model's concepts are read, in how many languages, and where best and least."""
    lines = []
    for dataset in datasets.values():
        table = own_accuracy(dataset, protocol)
        accuracy, pairs = table["accuracy"], table["pairs"].iloc[0]
        best, worst = (language(str(code)).name for code in (accuracy.idxmax(), accuracy.idxmin()))
        numbers = {"mean": accuracy.mean(), "highest": accuracy.max(), "lowest": accuracy.min(), "pairs": pairs}
        numbers |= {"threshold": READ, "read": int((table["low"] > READ).sum()), "languages": len(table)}
        lines.append(say("recognition", "model", title=dataset.attrs["title"], best=best, worst=worst, **numbers))
    return "\n".join(lines)


def consistency(datasets: Results, found: Ledger) -> str:
    """Question 2: how alike vectors are across languages, and whether related languages are more so."""
    lines = []
    for model, dataset in datasets.items():
        title, plain = dataset.attrs["title"], between(consistency_matrix(dataset, plain=True).to_numpy())
        phrase = ("few", "consistency") if dataset.sizes["source"] < 2 else ("consistency", "model")
        rows = found.rows("3", model).dropna(subset=["value"]).sort_values("value")
        ends = zip(rows["value"].iloc[[0, -1]], rows["concept"].iloc[[0, -1]], strict=True) if len(rows) else ()
        told = [say("consistency", "rho", rho=value, concept=concept) for value, concept in dict.fromkeys(ends)]
        rho = say("consistency", "rhos" if told else "no_rho", rhos=Said(" to ").join(told))
        lines.append(say(*phrase, title=title, plain=plain, rho=rho, claims=_claims(found, model, "3", "4a")))
    return "\n".join(lines)


def transfer(datasets: Results, found: Ledger, protocol: str = "cv") -> str:
    """Question 3: whether better-resourced languages teach better, and whether transfer forms a triangle."""
    lines, rows = [], transfer_summary(datasets, protocol)
    for model, dataset in datasets.items():
        title = dataset.attrs["title"]
        phrase = ("few", "transfer") if dataset.sizes["source"] < 2 else ("transfer", "model")
        lines.append(say(*phrase, title=title, claims=_claims(found, model, "5", "F4"), **rows.loc[title]))
    return "\n".join(lines)


def as_published(recognition: Results, consistency: Results) -> str:
    """The paper's own measures: own accuracy, accuracy across languages, and plain cosine where known."""
    rows = summary(recognition, consistency).iterrows()
    phrases = ["own", "accuracy", "model"]
    lines = [say("published", phrases[np.isfinite(row[["across", "cosine"]]).sum()], title=t, **row) for t, row in rows]
    if not any(map(is_published, recognition.values())):
        lines.append(say("published", "none"))
    return "\n".join(lines)


def in_short(claim: str, found: Ledger) -> str:
    """A claim model by model: the range of its statistic over concepts, and in how many of them it holds.

    Of claim 8 each finding.
    """
    lines = []
    for model, name in names(found).items():
        if claim == "8":
            lines.append(say("short", "control", name=name, verdicts=of_control(found, model)))
            continue
        values = found.rows(claim, model)["value"].dropna()
        ends = {"low": number(claim, values.min()), "high": number(claim, values.max())}
        phrase = "model" if len(values) else "unasked"
        lines.append(say("short", phrase, name=name, verdicts=in_concepts(found, claim, model), **ends))
    return "\n".join(lines)


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
