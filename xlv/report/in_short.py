"""The findings in one line a question, for the home page: each model's number with its verdict on the paper's claim."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import xarray as xr

from xlv.control.names import BASELINE, DIRECTIONS, KINDS
from xlv.questions.claims.ledger import value
from xlv.questions.claims.rules import FAILS, HOLDS, OPEN, READ
from xlv.questions.claims.verdicts import Finding
from xlv.questions.control import rates as tables
from xlv.report.titles import short, told_apart

MEASURES = {
    1: f"Languages read above {READ:.2f} and above the surface of the texts",
    3: "Corrected cosine between two languages' vectors, one if they point the same way",
    5: "One-way transfer U, accuracy gained from high to low resource",
    8: "Share of languages in which refusals move as asked",
}
Ledger = Mapping[str, list[Finding]]


def line(claim: int, found: Ledger, titles: Mapping[str, str]) -> str:
    """The number behind a claim, model by model, and the verdicts."""
    numbers, verdicts = [], {}
    names = told_apart(titles[model] for model in found)
    for name, findings in zip(names, found.values(), strict=True):
        finding = next(f for f in findings if f.claim == claim)
        numbers += [f"**{value(finding)}** ({name})"] if np.isfinite(finding.value) else []
        verdicts.setdefault(finding.verdict, []).append(name)
    said = "; ".join(f"*{verdict}* for {_all(models, found)}" for verdict, models in verdicts.items())
    return f"{MEASURES[claim]}: {', '.join(numbers) or 'not measured'}. The paper's claim: {said}."


def _all(models: list[str], found: Ledger) -> str:
    return "all models" if len(models) == len(found) else ", ".join(models)


def tally(found: Ledger) -> str:
    """How many verdicts of each kind the ledger has."""
    verdicts = Counter(finding.verdict for findings in found.values() for finding in findings)
    counts = ", ".join(f"{verdicts[kind]} *{kind}*" for kind in (HOLDS, FAILS, OPEN))
    return f"Of {verdicts.total()} verdicts, one a claim and model, {counts}."


def refusals(datasets: Mapping[str, xr.Dataset]) -> str:
    """Refusal rates of harmful instructions without control and in both directions, for models that refuse."""
    lines = []
    for dataset in datasets.values():
        if tables.hardly_refuses(dataset):
            continue
        table = tables.refusal_table(dataset)
        table = table[(table["kind"] == KINDS[0]) & (table["target"] != dataset.attrs["source"])]
        rate = table.groupby("condition")["rate"].mean()
        moved = " and ".join(f"**{rate[direction]:.2f}** {direction}" for direction in DIRECTIONS)
        lines.append(f"{short(dataset.attrs['title'])} refuses harmful instructions at {rate[BASELINE]:.2f}, {moved}.")
    return " ".join(lines)
