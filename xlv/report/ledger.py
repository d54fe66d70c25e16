"""The claims ledger as a reader sees it: statistics in a cell, a table, and figures of the claims page and of home."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from xlv.questions.claims.ledger import Finding
from xlv.questions.claims.rules import ALIKE, CLAIMS, FAILS, FEW, HOLDS, MANY, MARGIN, OPEN
from xlv.questions.control.rates import is_generated, refusal_table
from xlv.report.drawing import BLUE, CONDITION_COLOURS, INK, MARKERS, legend_below, new_figure
from xlv.report.formats import plain, say, signed, told_apart, unbroken
from xlv.results import Results
from xlv.schema import HARMFUL

Ledger = Mapping[str, Sequence[Finding]]  # findings on all claims, by model
VERDICTS = {HOLDS: "#8fd0b8", FAILS: "#f2b38c", OPEN: "#e6e6e6"}
LONGEST = 1.6  # of the corrected cosine, whose intervals run far beyond what a cosine can be
_COUNTS, _LEVELS = (1, 4), (3, 8)  # claims whose statistic is a count, or a level; the others have differences


def of(findings: Sequence[Finding], claim: int) -> Finding:
    """The finding on a claim."""
    return next(finding for finding in findings if finding.claim == claim)


def over_seeds(found: Ledger, titles: Mapping[str, str]) -> dict[str, list[Sequence[Finding]]]:
    """Findings by short title, those of runs that differ by their seed only together: a batch says it in the title."""
    runs: dict[str, list[Sequence[Finding]]] = {}
    for model, findings in found.items():
        runs.setdefault(re.sub(r", seed -?\d+", "", titles[model]), []).append(findings)
    return dict(zip(told_apart(runs), runs.values(), strict=True))


def value(*findings: Finding) -> str:
    """A finding's value alone, or mean ± standard deviation over the seeds of several; nothing where there is none."""
    numbers = [finding.value for finding in findings if np.isfinite(finding.value)]
    if len(numbers) > 1:
        return f"{plain(np.mean(numbers), 3)} ± {np.std(numbers, ddof=1):.3f} over {len(numbers)} seeds"
    return _written(findings[0], numbers[0]) if numbers else ""


def statistic(*findings: Finding) -> str:
    """A finding's value with its simultaneous interval, as short as a cell; of several `value`."""
    finding = findings[0]
    if len(findings) > 1 or not np.isfinite(finding.low):
        return value(*findings)
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
    axes.spines[:].set_visible(False)
    return figure


def ledger(found: Ledger, titles: Mapping[str, str]) -> pd.DataFrame:
    """One row per claim and model: value and simultaneous interval, or mean ± standard deviation over seeds, and the
    verdict with its reason. The number of a claim stands in its first row only."""
    rows = []
    for name, runs in over_seeds(found, titles).items():
        for same in zip(*runs, strict=True):
            verdicts = Counter(f"{f.verdict} ({f.why})" if f.why else f.verdict for f in same)
            said = ", ".join(
                f"{count} × {verdict}" if len(same) > 1 else verdict for verdict, count in verdicts.items()
            )
            rows.append((same[0].claim, name, unbroken(statistic(*same) or "–"), said))
    table = pd.DataFrame(rows, columns=["claim", "model", "value (interval)", "verdict"])
    table = table.sort_values("claim", kind="stable").reset_index(drop=True)
    return table.assign(claim=table["claim"].astype(str).mask(table["claim"].duplicated(), ""))


def four_questions(found: Ledger, titles: Mapping[str, str], recognition: Results, control: Results) -> Figure:
    """Claims 1, 3 and 5 with simultaneous intervals and rules; refusal rates of the other languages, a dot each."""
    names = dict(zip(found, told_apart(titles[model] for model in found), strict=True))
    measured = {model: dataset for model, dataset in control.items() if model in found and is_generated(dataset)}
    n = max(dataset.sizes["target"] for dataset in recognition.values())
    fifth = [of(findings, 5) for findings in found.values()]
    reach = max((abs(end) for f in fifth for end in (f.value, f.low, f.high) if np.isfinite(end)), default=MARGIN)
    heights = (*[0.62 + 0.3 * len(found)] * 3, 0.62 + 0.45 * max(1, len(measured)))
    figure = new_figure(4.9, sum(heights) + 0.7)
    axes = figure.subplots(4, 1, height_ratios=heights)
    spans = {  # values that speak against the paper's claim, and for it
        1: ((0, FEW * n), (MANY * n, n)),
        3: ((ALIKE, LONGEST), (0, ALIKE)),
        5: ((-0.5 * reach, MARGIN), (MARGIN, 1.05 * reach)),
    }
    for panel, (claim, (against, in_favour)) in zip(axes, spans.items(), strict=False):
        findings = [of(findings, claim) for findings in found.values()]
        for ends, verdict in ((against, FAILS), (in_favour, HOLDS)):
            panel.axvspan(*ends, color=VERDICTS[verdict], alpha=0.35, lw=0, zorder=0)
        for row, finding in enumerate(findings):
            if np.isfinite(finding.value):
                panel.plot([finding.low, finding.high], [row, row], color=BLUE, lw=2, solid_capstyle="butt")
                panel.plot(finding.value, row, "o", color=BLUE, ms=5)
        words = [f"{finding.verdict}\n{statistic(finding)}".strip() for finding in findings]
        _frame(panel, say("home", f"title_{claim}"), say("home", f"label_{claim}", languages=n), names.values(), words)
        panel.set_xlim(min(against + in_favour), max(against + in_favour))
    axes[0].set_xticks(range(0, n + 1, max(1, n // 4)))
    axes[2].locator_params(axis="x", nbins=5)  # three decimals and a sign are wide
    _rates(axes[3], measured)
    words, label = [of(found[model], 8).verdict for model in measured], "label_8" if measured else "not_measured"
    _frame(axes[3], say("home", "title_8"), say("home", label), [names[model] for model in measured], words)
    axes[3].set_xlim(-0.02, 1.02)
    return legend_below(figure) if measured else figure


def _frame(panel: Axes, title: str, label: str, names: Collection[str], words: list[str]) -> None:
    """A title, a label, and at each row its name to the left and words to the right."""
    panel.set_title(title, loc="left")
    panel.set_xlabel(label, fontsize=8)
    panel.set_yticks(range(len(names)), [fill(name, 16) for name in names], fontsize=8)
    panel.set_ylim(max(1, len(names)) - 0.5, -0.5)
    panel.tick_params(axis="x", labelsize=8)
    panel.tick_params(axis="y", length=0)
    for row, text in enumerate(words):
        panel.annotate(text, (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=7, color=INK)


def _rates(panel: Axes, measured: Results) -> None:
    for row, dataset in enumerate(measured.values()):
        table = refusal_table(dataset)
        table = table[(table["kind"] == HARMFUL) & (table["target"] != dataset.attrs["source"])]
        for step, (name, colour) in enumerate(CONDITION_COLOURS.items()):
            rate, level = table.loc[table["condition"] == name, "rate"], row + 0.25 * (step - 1)
            style = {"color": colour, "marker": MARKERS[name], "ls": ""}
            panel.plot(rate, [level] * len(rate), **style, ms=3, alpha=0.35, mec="none")
            panel.plot(rate.mean(), level, **style, ms=6, label=None if row else name)
