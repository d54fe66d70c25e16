"""Answers in words: the phrases of `assets/phrases.toml` filled with computed numbers."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions.as_published import summary
from xlv.questions.claims.ledger import read
from xlv.questions.claims.rules import CLAIMS, FAILS, HOLDS, OPEN, READ, RELIABLE
from xlv.questions.consistency.tables import consistency_summary, known_pairs, linguistic_table
from xlv.questions.control import rates, scores
from xlv.questions.control.judge import load_validation, quality_table
from xlv.questions.recognition.tables import own_accuracy
from xlv.questions.transfer.tables import transfer_summary
from xlv.report.formats import Said, counted, say, short
from xlv.report.ledger import Ledger, of, over_seeds, value
from xlv.results import Results, is_published
from xlv.schema import BASELINE, DIRECTIONS, EFFECT, HARMFUL, HARMLESS, REFUSING


def names_of(codes: list[str]) -> Said:
    """Names of languages as a list in words."""
    names = [language(code).name for code in codes] or ["none"]
    return Said(" and ").join([Said(", ").join(names[:-1]), names[-1]][len(names) == 1 :])


def recognition(datasets: Results, protocol: str = "cv") -> str:
    """Question 1: in how many languages each model's concepts are read, and where best and least."""
    lines = []
    for dataset in datasets.values():
        table = own_accuracy(dataset, protocol)
        accuracy, pairs = table["accuracy"], table["pairs"].iloc[0]
        best, worst = (language(str(code)).name for code in (accuracy.idxmax(), accuracy.idxmin()))
        numbers = {"mean": accuracy.mean(), "highest": accuracy.max(), "lowest": accuracy.min(), "pairs": pairs}
        numbers |= {"threshold": READ, "read": read(dataset, protocol), "languages": len(table)}
        lines.append(say("recognition", "model", title=dataset.attrs["title"], best=best, worst=worst, **numbers))
    return "\n".join(lines)


def consistency(datasets: Results) -> str:
    """Question 2: how alike vectors are across languages, and which similarities they keep."""
    lines, rows = [], consistency_summary(datasets)
    for dataset in datasets.values():
        title, row = dataset.attrs["title"], rows.loc[dataset.attrs["title"]]
        if dataset.sizes["source"] < 2:
            lines.append(say("few", "consistency", title=title))
        elif row["reliability"] < RELIABLE or np.isnan(row["corrected"]):
            known, pairs = known_pairs(dataset)
            phrase = ("all_known" if known == pairs else "some_known") if known else "none_known"
            numbers = {"verdict": OPEN, "threshold": RELIABLE}
            numbers["known"] = say("consistency", phrase, known=known, pairs=pairs, **row)
            lines.append(say("consistency", "unreliable", title=title, **numbers, **row))
        else:
            linguistic = linguistic_table(dataset)
            beyond = " and ".join(linguistic.index[linguistic["direct"] > linguistic["chance_high"]])
            phrase, kind = "similarities" if beyond else "no_similarity", linguistic.attrs["kind"]
            kept = say("consistency", phrase, names=beyond, kind=kind) if linguistic["direct"].notna().any() else ""
            lines.append(say("consistency", "reliable", title=title, similarities=kept, **row))
    return "\n".join(lines)


def kinship(regressions: Mapping[str, pd.DataFrame]) -> str:
    """Which similarities of languages consistency follows, script and shared tokens held fixed, by model title."""
    lines = []
    for title, table in regressions.items():
        rows = table[table["p_holm"] < 0.05].itertuples()
        words = Said(" and ").join(say("kinship", "similarity", row=row) for row in rows)
        phrase = "followed" if words else "none" if table["coefficient"].notna().any() else "few"
        found = say("kinship", phrase, similarities=words)
        lines.append(say("kinship", "model", title=title, found=found))
    return "\n".join(lines)


def transfer(datasets: Results, found: Ledger, protocol: str = "cv") -> str:
    """Question 3: whether transfer runs one way, as the ledger (`found`, by model) judges claim 5."""
    lines, rows = [], transfer_summary(datasets, protocol)
    for model, dataset in datasets.items():
        title, fifth = dataset.attrs["title"], of(found[model], 5)
        judged = say("transfer", fifth.verdict) + (Said(f" ({fifth.why})") if fifth.why else "")
        phrase = ("few", "transfer") if dataset.sizes["source"] < 2 else ("transfer", "model")
        lines.append(say(*phrase, title=title, judged=judged, **rows.loc[title]))
    return "\n".join(lines)


def claims(found: Ledger, titles: Mapping[str, str]) -> str:
    """The ledger: per model which claims hold, which do not, and why the others are open."""
    lines = []
    for model, findings in found.items():
        said: dict[str, list[str]] = {}
        for f in sorted(findings, key=lambda f: (HOLDS, FAILS, OPEN).index(f.verdict)):
            if f.verdict == OPEN:
                said.setdefault(f"{OPEN} ({f.why or 'the interval is too wide'})", []).append(str(f.claim))
            else:
                said.setdefault(f.verdict, []).append(f"{f.claim} ({CLAIMS[f.claim].rstrip('.').lower()})")
        words = [f"{verdict[0].upper()}{verdict[1:]}: {', '.join(which)}." for verdict, which in said.items()]
        lines.append(say("claims", "model", title=titles[model], verdicts=Said(" ".join(words))))
    return "\n".join(lines)


def as_published(recognition: Results, consistency: Results) -> str:
    """The paper's own measures: own accuracy, accuracy across languages, and plain cosine where known."""
    rows = summary(recognition, consistency).iterrows()
    phrases = ["own", "accuracy", "model"]
    lines = [say("published", phrases[np.isfinite(row[["across", "cosine"]]).sum()], title=t, **row) for t, row in rows]
    if not any(map(is_published, recognition.values())):
        lines.append(say("published", "none"))
    return "\n".join(lines)


def in_short(claim: int, found: Ledger, titles: Mapping[str, str]) -> str:
    """The number behind a claim, model by model, and the verdicts, in one line."""
    numbers, verdicts = [], {}
    for name, runs in over_seeds(found, titles).items():
        same = [of(findings, claim) for findings in runs]
        numbers += [Said("**{}** ({})").format(Said(shown), name)] if (shown := value(*same)) else []
        for verdict, count in Counter(finding.verdict for finding in same).items():
            shared = f" in {count} of {len(same)} seeds" if count < len(same) else ""
            verdicts.setdefault(verdict, []).append(f"{name}{shared}")
    if len(verdicts) == 1:
        verdicts = {verdict: ["all models"] for verdict in verdicts}
    said = (Said("*{}* for {}").format(verdict, Said(", ").join(models)) for verdict, models in verdicts.items())
    measure = say("measures", str(claim), threshold=READ)
    measured = Said(", ").join(numbers) or "not measured"
    return say("claims", "short", measure=measure, numbers=measured, verdicts=Said("; ").join(said))


def tally(found: Ledger) -> str:
    """How many verdicts of each kind the ledger has."""
    verdicts = Counter(finding.verdict for findings in found.values() for finding in findings)
    counts = Said(", ".join(f"{verdicts[kind]} *{kind}*" for kind in (HOLDS, FAILS, OPEN)))
    return say("claims", "tally", total=verdicts.total(), counts=counts)


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
        by_score = rates.hardly_refuses(dataset)
        lines.append(_hardly_refuses(dataset) if by_score else _without_control(dataset))
        auroc = scores.auroc_table(dataset)
        for direction in DIRECTIONS:
            moved = _score_moved(dataset, direction) if by_score else _rate_moved(dataset, direction)
            beaten, count = scores.beats_random(dataset, direction)
            noise = say("control", "random", beaten=len(beaten), of=dataset.sizes["target"], count=count)
            lines.append(" ".join([moved, _matched(auroc, direction), *([noise] if count else [])]))
    return "\n".join(lines) or say("few", "not_asked")


def _about(dataset: xr.Dataset) -> dict[str, str]:
    return {"title": dataset.attrs["title"], "source": language(dataset.attrs["source"]).name}


def _without_control(dataset: xr.Dataset) -> str:
    """Where refusals without control distinguish harm from harmlessness, and where they do not."""
    mean, blind = rates.mean_rates(dataset), rates.blind_languages(dataset)
    where = say("control", "blind", names=names_of(blind)) if blind else "."
    numbers = {"refusal": mean[HARMFUL, BASELINE], "over": mean[HARMLESS, BASELINE]}
    return say("control", "without", title=dataset.attrs["title"], none=BASELINE, where=where, **numbers)


def _rate_moved(dataset: xr.Dataset, direction: str) -> str:
    mean = rates.mean_rates(dataset, without=dataset.attrs["source"])
    changes = rates.refusal_changes(dataset, direction)
    moved = [str(code) for code in changes.index[changes["p_holm"] < 0.05]]
    numbers = {"before": mean[HARMFUL, BASELINE], "after": mean[HARMFUL, direction], "moved": len(moved)}
    numbers |= {"over_before": mean[HARMLESS, BASELINE], "over_after": mean[HARMLESS, direction], "of": len(changes)}
    names = Said(": ") + names_of(moved) if moved else ""
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
    errors = {} if validation is None else quality_table(validation).loc["all"]
    return say("judge", "none" if validation is None else "errors", **errors)
