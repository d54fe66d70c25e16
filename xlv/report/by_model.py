"""Each answer as one table with a row per model, numbers as text."""

from collections.abc import Callable

import pandas as pd

from xlv.corpus.languages import language
from xlv.questions.claims.ledger import Ledger
from xlv.questions.claims.verdicts import READ
from xlv.questions.common import between
from xlv.questions.consistency.tables import consistency_matrix
from xlv.questions.control.gated import BLIND, CARRIED, RESET, knowing_table
from xlv.questions.control.rates import selectivity_table
from xlv.questions.recognition.tables import own_accuracy, own_estimate
from xlv.questions.transfer.tables import transfer_summary, triangle_table
from xlv.report.formats import PHRASES, p_value, plain, say, signed, told_apart, unbroken
from xlv.report.ledger import counts, kinds
from xlv.results import Results
from xlv.schema import BASELINE, REFUSING, SYSTEM


def _interval(value: float, low: float, high: float, written: Callable = plain) -> str:
    return f"{written(value)} ({unbroken(f'{written(low)} to {written(high)}')})"


def _table(datasets: Results, rows: dict[str, dict[str, str]]) -> pd.DataFrame:
    """Rows by model under their short names, the columns as a reader sees them."""
    names = told_apart(datasets[model].attrs["title"] for model in rows)
    table = pd.DataFrame(list(rows.values()), index=names)
    return table.rename(columns=lambda name: str(say("by_model", name)) if name in PHRASES["by_model"] else name)


def _verdicts(found: Ledger, model: str, **claims: str) -> dict[str, str]:
    """How often each verdict falls on some claims, by signs."""
    return {name: counts(kinds(found.rows(claim, model))) or "–" for name, claim in claims.items()}


def encoded(datasets: Results, found: Ledger, protocol: str = "cv") -> pd.DataFrame:
    """Question 1: mean accuracy of own vectors, in how many languages it lies above the line, and the extremes."""
    rows = {}
    for model, dataset in datasets.items():
        table, mean = own_accuracy(dataset, protocol), own_estimate(dataset, protocol).of(lambda a: a.mean(axis=-1))
        best, worst = (
            f"{language(str(c)).name} {plain(a)}" for c, a in table["accuracy"].sort_values().iloc[[-1, 0]].items()
        )
        row = {"accuracy": _interval(mean.value, *mean.interval()), "best": best, "worst": worst}
        row["languages"] = f"{(table['low'] > READ).sum()} of {len(table)}"
        rows[model] = row | _verdicts(found, model, encoded="1a", surface="1b")
    return _table(datasets, rows)


def consistent(datasets: Results, found: Ledger) -> pd.DataFrame:
    """Question 2: the range of ρ over concepts, the paper's cosine, and verdicts."""
    rows = {}
    for model, dataset in datasets.items():
        rho = found.rows("3", model).dropna(subset=["value"]).sort_values("value")
        ends = [f"{plain(value)} ({concept})" for value, concept in zip(rho["value"], rho["concept"], strict=True)]
        row = {"rho": " to ".join(dict.fromkeys(ends[:1] + ends[-1:])) or "–"}
        row["cosine"] = plain(between(consistency_matrix(dataset, plain=True).to_numpy()))
        rows[model] = row | _verdicts(found, model, inconsistent="3", related="4a")
    return _table(datasets, rows)


def controllable(datasets: Results) -> pd.DataFrame:
    """Question 4: is harm known and acted on, and what control makes of selectivity; means over the other languages."""
    rows = {}
    for model, dataset in datasets.items():

        def others(table: pd.DataFrame, by: str, value: str, source: str = dataset.attrs["source"]) -> pd.Series:
            return table[table["target"] != source].groupby(by)[value].mean().map(plain)

        known = others(knowing_table(dataset), "reader", "auroc")
        kept = others(selectivity_table(dataset), "condition", "selectivity")
        row = {name: known.get(reader, "–") for name, reader in (("known", "state"), ("acted", "refusal score"))}
        conditions = (BASELINE, REFUSING, CARRIED, RESET, BLIND, f"{SYSTEM} ({REFUSING})")
        rows[model] = row | {name: kept.get(name, "–") for name in conditions}
    return _table(datasets, rows)


def transferable(datasets: Results, found: Ledger, protocol: str = "cv") -> pd.DataFrame:
    """Question 3: one-way transfer U, mean T on both sides of the triangle, and verdicts."""
    several = {model: dataset for model, dataset in datasets.items() if dataset.sizes["source"] > 1}
    rows, whole, sides = {}, transfer_summary(several, protocol), triangle_table(several, protocol)
    for model, dataset in several.items():
        one, two = whole.loc[dataset.attrs["title"]], sides.loc[dataset.attrs["title"]]
        row = {"U": _interval(one["U"], one["U_low"], one["U_high"], signed), "p": p_value(one["p"])}
        row["inside"] = _interval(two["inside"], two["inside_low"], two["inside_high"], signed)
        row["outside"] = signed(two["outside"])
        rows[model] = row | _verdicts(found, model, teach="5", triangle="F4", gain="F4'")
    return _table(several, rows)
