"""The answer to question 4 in words, made of computed numbers."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from xlv.control.names import BASELINE, FOLLOWING, KINDS, REFUSING
from xlv.corpus.languages import language
from xlv.report.answers import names_of
from xlv.report.tables import control as tables


def control(datasets: dict[str, xr.Dataset]) -> str:
    """Question 4 in words: what the source language's vector does to refusals in all languages, and at what cost."""
    lines = []
    for dataset in datasets.values():
        source = dataset.attrs["source"]
        table = tables.refusal_table(dataset)
        mean = table[table["target"] != source].groupby(["kind", "condition"])["rate"].mean()
        lines.append(_without_control(dataset.attrs["title"], table))
        for direction in (REFUSING, FOLLOWING):
            tests = tables.control_tests(dataset, direction)
            moved = [str(code) for code, row in tests.iterrows() if row["p_holm"] < 0.05]
            lines.append(
                f"- **{dataset.attrs['title']}, {direction}** with the {language(source).name} vector: refusals of harmful "
                f"instructions go from {mean[KINDS[0], BASELINE]:.2f} to **{mean[KINDS[0], direction]:.2f}** on average over "
                f"the other languages, over-refusal of harmless ones from {mean[KINDS[1], BASELINE]:.2f} to "
                f"{mean[KINDS[1], direction]:.2f}; the change is significant (McNemar, Holm) in "
                f"{len(moved)} of {len(tests)} languages{': ' + names_of(moved) if moved else ''}."
            )
    return "\n".join(lines)


def _without_control(title: str, table: pd.DataFrame) -> str:
    """Where refusals without control tell harm from harmlessness, and where they do not."""
    rates = table[table["condition"] == BASELINE].pivot(index="target", columns="kind", values="rate")
    blind = [str(code) for code, row in rates.iterrows() if row[KINDS[1]] > 0 and row[KINDS[1]] >= row[KINDS[0]] / 2]
    text = (
        f"- **{title}, {BASELINE}**: harmful instructions are refused at {rates[KINDS[0]].mean():.2f} on average over "
        f"languages, harmless ones at {rates[KINDS[1]].mean():.2f}"
    )
    if not blind:
        return text + "."
    return (
        f"{text}; in {names_of(blind)} harmless ones are refused at least half as often as harmful ones: there a refusal "
        "says that the model did not understand more than that it saw harm."
    )
