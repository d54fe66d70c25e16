"""The home page's figure: the four questions below each other, a row per model."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xlv.questions.claims.rules import ALIKE, FAILS, FEW, HOLDS, MANY, MARGIN
from xlv.questions.control.rates import is_generated, mean_rates, refusal_table
from xlv.report.drawing import Results
from xlv.report.formats import told_apart
from xlv.report.ledger import VERDICTS, Ledger, of, statistic
from xlv.report.style import BLUE, CONDITION_COLOURS, INK, MARKERS, new_figure
from xlv.results import HARMFUL

_LONGEST = 1.6  # of the corrected cosine, whose intervals run far beyond what a cosine can be


def answers(found: Ledger, titles: Mapping[str, str], recognition: Results, control: Results) -> Figure:
    """Claims 1, 3 and 5 with their simultaneous intervals and rules; refusal rates of the other languages, a dot each.

    `recognition` and `control` are the results of questions 1 and 4 by model.
    """
    names = dict(zip(found, told_apart(titles[model] for model in found), strict=True))
    n = max(dataset.sizes["target"] for dataset in recognition.values())
    measured = {model: dataset for model, dataset in control.items() if model in found and is_generated(dataset)}
    fifth = [of(findings, 5) for findings in found.values()]
    ends = [abs(end) for f in fifth for end in (f.value, f.low, f.high) if np.isfinite(end)]
    low, high = -0.5 * max(ends, default=MARGIN), 1.05 * max(ends, default=MARGIN)
    heights = (*[0.62 + 0.3 * len(found)] * 3, 0.62 + 0.45 * max(1, len(measured)))
    figure = new_figure(4.9, sum(heights) + 0.7)
    counts, cosines, transfer, rates = figure.subplots(4, 1, height_ratios=heights)
    counts.set_title("Encoded? Languages that are read", loc="left")
    _claim(counts, found, names, 1, f"languages of {n}", against=(0, FEW * n), in_favour=(MANY * n, n))
    counts.set_xticks(range(0, n + 1, max(1, n // 4)))
    cosines.set_title("Consistent? At one: the same direction", loc="left")
    label = "corrected cosine of two languages' vectors"
    _claim(cosines, found, names, 3, label, against=(ALIKE, _LONGEST), in_favour=(0, ALIKE))
    transfer.set_title("One-way? Above zero: from high to low resource", loc="left")
    _claim(transfer, found, names, 5, "one-way transfer U", against=(low, MARGIN), in_favour=(MARGIN, high))
    transfer.locator_params(axis="x", nbins=5)  # three decimals and a sign are wide
    rates.set_title("Controllable? Harmful instructions refused", loc="left")
    _rates(rates, found, names, measured)
    if measured:
        figure.legend(*rates.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _rows(axes: Axes, names: list[str], low: float, high: float, label: str) -> None:
    axes.set_yticks(range(len(names)), [fill(name, 16) for name in names], fontsize=8)
    axes.set(ylim=(max(1, len(names)) - 0.5, -0.5), xlim=(low, high))
    axes.set_xlabel(label, fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)


def _say(axes: Axes, row: int, text: str) -> None:
    axes.annotate(text, (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=7, color=INK)


def _claim(axes: Axes, found: Ledger, names: dict, claim: int, label: str, *, against: tuple, in_favour: tuple) -> None:
    """Findings with their intervals; shades for the values that speak against the paper's claim and for it."""
    for (low, high), verdict in ((against, FAILS), (in_favour, HOLDS)):
        axes.axvspan(low, high, color=VERDICTS[verdict], alpha=0.35, lw=0, zorder=0)
    for row, findings in enumerate(found.values()):
        finding = of(findings, claim)
        if np.isfinite(finding.value):
            axes.plot([finding.low, finding.high], [row, row], color=BLUE, lw=2, solid_capstyle="butt")
            axes.plot(finding.value, row, "o", color=BLUE, ms=5)
        _say(axes, row, f"{finding.verdict}\n{statistic(finding)}".strip())
    _rows(axes, [names[model] for model in found], min(against + in_favour), max(against + in_favour), label)


def _rates(axes: Axes, found: Ledger, names: Mapping[str, str], measured: Results) -> None:
    for row, (model, dataset) in enumerate(measured.items()):
        source, table = dataset.attrs["source"], refusal_table(dataset)
        table = table[(table["kind"] == HARMFUL) & (table["target"] != source)]
        mean = mean_rates(dataset, without=source)[HARMFUL]
        for step, (name, colour) in enumerate(CONDITION_COLOURS.items()):
            rate, level = table.loc[table["condition"] == name, "rate"], row + 0.25 * (step - 1)
            style = {"color": colour, "marker": MARKERS[name], "ls": ""}
            axes.plot(rate, [level] * len(rate), **style, ms=3, alpha=0.35, mec="none")
            axes.plot(mean[name], level, **style, ms=6, label=None if row else name)
        _say(axes, row, of(found[model], 8).verdict)
    label = "refusal rate; small: a language, large: their mean" if measured else "not measured on any of these models"
    _rows(axes, [names[model] for model in measured], -0.02, 1.02, label)
