"""The figure of the claims ledger."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from xlv.questions.claims.ledger import statistic
from xlv.questions.claims.rules import CLAIMS, FAILS, HOLDS, OPEN
from xlv.questions.claims.verdicts import Finding
from xlv.report.style import INK, new_figure

VERDICTS = {HOLDS: "#8fd0b8", FAILS: "#f2b38c", OPEN: "#e6e6e6"}


def verdicts(found: Mapping[str, list[Finding]], titles: Mapping[str, str]) -> Figure:
    """Claims down, models across: the colour and the first line are the verdict, the second line the statistic."""
    figure = new_figure(8.6, 0.62 * len(CLAIMS) + 0.7)
    axes = figure.subplots()
    codes = np.array([[list(VERDICTS).index(f.verdict) for f in findings] for findings in found.values()]).T
    axes.imshow(codes, cmap=ListedColormap(list(VERDICTS.values())), vmin=-0.5, vmax=2.5, aspect="auto")
    for column, findings in enumerate(found.values()):
        for row, finding in enumerate(findings):
            axes.text(
                column,
                row,
                f"{finding.verdict}\n{statistic(finding)}".strip(),
                ha="center",
                va="center",
                fontsize=7.5,
                color=INK,
            )
    axes.set_xticks(range(len(found)), [fill(titles[model], 70 // len(found)) for model in found], fontsize=8)
    axes.set_yticks(range(len(CLAIMS)), [_wrapped(number, text) for number, text in CLAIMS.items()], fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(found) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(CLAIMS) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=2)
    axes.tick_params(which="minor", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def _wrapped(number: int, text: str, width: int = 34) -> str:
    return fill(f"{number}. {text.rstrip('.')}", width)
