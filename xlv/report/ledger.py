"""The claims ledger as a reader sees it: a figure, a table, and statistics in a cell."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from xlv.questions.claims.rules import CLAIMS, FAILS, HOLDS, OPEN
from xlv.questions.claims.verdicts import Finding
from xlv.report.formats import plain, signed, told_apart, unbroken
from xlv.report.style import INK, new_figure

Ledger = Mapping[str, Sequence[Finding]]  # findings on all claims, by model
VERDICTS = {HOLDS: "#8fd0b8", FAILS: "#f2b38c", OPEN: "#e6e6e6"}
_COUNTS, _LEVELS = (1, 4), (3, 8)  # claims whose statistic is a count, or a level; the others have differences


def of(findings: Sequence[Finding], claim: int) -> Finding:
    """The finding on a claim."""
    return next(finding for finding in findings if finding.claim == claim)


def value(finding: Finding) -> str:
    """A finding's value alone; nothing where it has none."""
    return _written(finding, finding.value) if np.isfinite(finding.value) else ""


def statistic(finding: Finding) -> str:
    """A finding's value with its simultaneous interval, as short as a cell."""
    if not np.isfinite(finding.low):
        return value(finding)
    return f"{value(finding)} ({_written(finding, finding.low)} to {_written(finding, finding.high)})"


def _written(finding: Finding, number: float) -> str:
    if finding.claim in _COUNTS:
        return f"{number:.0f}"
    return plain(number) if finding.claim in _LEVELS else signed(number)


def verdicts(found: Ledger, titles: Mapping[str, str]) -> Figure:
    """Claims down, models across: the colour and the first line are the verdict, the second line the statistic."""
    figure = new_figure(8.6, 0.62 * len(CLAIMS) + 0.7)
    axes = figure.subplots()
    codes = np.array([[list(VERDICTS).index(f.verdict) for f in findings] for findings in found.values()]).T
    axes.imshow(codes, cmap=ListedColormap(list(VERDICTS.values())), vmin=-0.5, vmax=2.5, aspect="auto")
    look = {"ha": "center", "va": "center", "fontsize": 7.5, "color": INK}
    for column, findings in enumerate(found.values()):
        for row, finding in enumerate(findings):
            axes.text(column, row, f"{finding.verdict}\n{statistic(finding)}".strip(), **look)
    axes.set_xticks(range(len(found)), [fill(titles[model], 70 // len(found)) for model in found], fontsize=8)
    claims = [fill(f"{number}. {text.rstrip('.')}", 34) for number, text in CLAIMS.items()]
    axes.set_yticks(range(len(CLAIMS)), claims, fontsize=8)
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(found) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(CLAIMS) - 1) + 0.5, minor=True)
    axes.tick_params(which="both", length=0)
    axes.grid(which="minor", color="white", lw=2)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def ledger(found: Ledger, titles: Mapping[str, str]) -> pd.DataFrame:
    """One row per claim and model: value and simultaneous interval, and the verdict with its reason.

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
        for name, findings in zip(names, found.values(), strict=True)
        for f in findings
    ]
    table = pd.DataFrame(rows).sort_values("claim", kind="stable").reset_index(drop=True)
    return table.assign(claim=table["claim"].astype(str).mask(table["claim"].duplicated(), ""))
