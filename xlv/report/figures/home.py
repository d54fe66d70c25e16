"""The home page's figure: the four questions below each other, a row a model."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xlv.control.names import BASELINE, DIRECTIONS, KINDS
from xlv.questions.claims.ledger import statistic
from xlv.questions.claims.rules import ALIKE, FAILS, FEW, HOLDS, MARGIN, MOST
from xlv.questions.claims.verdicts import Finding
from xlv.questions.control.rates import is_generated, refusal_table
from xlv.report.figures.claims import VERDICTS
from xlv.report.style import BLUE, CONDITION_COLOURS, INK, MARKERS, new_figure
from xlv.report.titles import told_apart

Ledger = Mapping[str, list[Finding]]
_LONGEST = 1.6  # of the corrected cosine, whose intervals run far beyond what a cosine can be


def answers(
    found: Ledger, titles: Mapping[str, str], recognition: Mapping[str, xr.Dataset], control: Mapping[str, xr.Dataset]
) -> Figure:
    """Claims 1, 3 and 5 with their simultaneous intervals and rules; refusal rates of the other languages, a dot each.

    `recognition` and `control` are the results of questions 1 and 4 by model.
    """
    names = dict(zip(found, told_apart(titles[model] for model in found), strict=True))
    languages = max(dataset.sizes["target"] for dataset in recognition.values())
    measured = {model: dataset for model, dataset in control.items() if model in found and is_generated(dataset)}
    heights = (*[0.62 + 0.3 * len(found)] * 3, 0.62 + 0.45 * max(1, len(measured)))
    figure = new_figure(4.9, sum(heights) + 0.7)
    first, third, fifth, rates = figure.subplots(4, 1, height_ratios=heights)
    first.set_title("Encoded? Languages that are read", loc="left")
    _claim(first, found, names, 1, (0, languages), f"languages of {languages}")
    first.set_xticks(range(0, languages + 1, max(1, languages // 4)))
    _zones(first, (0, FEW * languages), (MOST * languages, languages))
    third.set_title("Consistent? At one: the same direction", loc="left")
    _claim(third, found, names, 3, (0, _LONGEST), "corrected cosine of two languages' vectors")
    _zones(third, (ALIKE, _LONGEST), (0, ALIKE))
    fifth.set_title("One-way? Above zero: from high to low resource", loc="left")
    widest = max((abs(end) for findings in found.values() for end in _ends(findings)), default=MARGIN)
    _claim(fifth, found, names, 5, (-0.5 * widest, 1.05 * widest), "one-way transfer U")
    fifth.locator_params(axis="x", nbins=5)  # three decimals and a sign are wide
    _zones(fifth, (-0.5 * widest, MARGIN), (MARGIN, 1.05 * widest))
    rates.set_title("Controllable? Harmful instructions refused", loc="left")
    _rates(rates, found, names, measured)
    if measured:
        figure.legend(*rates.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _ends(findings: list[Finding]) -> list[float]:
    fifth = _of(findings, 5)
    return [end for end in (fifth.value, fifth.low, fifth.high) if np.isfinite(end)]


def _of(findings: list[Finding], claim: int) -> Finding:
    return next(finding for finding in findings if finding.claim == claim)


def _rows(axes: Axes, names: list[str], low: float, high: float, label: str) -> None:
    axes.set_yticks(range(len(names)), [fill(name, 16) for name in names], fontsize=8)
    axes.set(ylim=(max(1, len(names)) - 0.5, -0.5), xlim=(low, high))
    axes.set_xlabel(label, fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)


def _zones(axes: Axes, against: tuple[float, float], in_favour: tuple[float, float]) -> None:
    """The values that speak against the paper's claim and for it."""
    for (low, high), verdict in ((against, FAILS), (in_favour, HOLDS)):
        axes.axvspan(low, high, color=VERDICTS[verdict], alpha=0.35, lw=0, zorder=0)


def _say(axes: Axes, row: int, text: str) -> None:
    axes.annotate(text, (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=7, color=INK)


def _claim(axes: Axes, found: Ledger, names: Mapping[str, str], claim: int, span: tuple[float, float], label: str):
    for row, findings in enumerate(found.values()):
        finding = _of(findings, claim)
        if np.isfinite(finding.value):
            axes.plot([finding.low, finding.high], [row, row], color=BLUE, lw=2, solid_capstyle="butt")
            axes.plot(finding.value, row, "o", color=BLUE, ms=5)
        _say(axes, row, f"{finding.verdict}\n{statistic(finding)}".strip())
    _rows(axes, [names[model] for model in found], *span, label)


def _rates(axes: Axes, found: Ledger, names: Mapping[str, str], measured: Mapping[str, xr.Dataset]) -> None:
    for row, (model, dataset) in enumerate(measured.items()):
        table = refusal_table(dataset)
        table = table[(table["kind"] == KINDS[0]) & (table["target"] != dataset.attrs["source"])]
        for step, name in enumerate((BASELINE, *DIRECTIONS)):
            rate, level = table.loc[table["condition"] == name, "rate"], row + 0.25 * (step - 1)
            style = {"color": CONDITION_COLOURS[name], "marker": MARKERS[name], "ls": ""}
            axes.plot(rate, [level] * len(rate), **style, ms=3, alpha=0.35, mec="none")
            axes.plot(rate.mean(), level, **style, ms=6, label=None if row else name)
        _say(axes, row, _of(found[model], 8).verdict)
    label = "refusal rate; small: a language, large: their mean" if measured else "not measured on any of these models"
    _rows(axes, [names[model] for model in measured], -0.02, 1.02, label)
