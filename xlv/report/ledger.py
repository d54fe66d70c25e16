"""The claims ledger as a reader sees it: maps of verdicts, the tables behind them, and the figure of the home page."""

from collections.abc import Collection
from textwrap import fill

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from xlv.questions.claims.ledger import CLAIMS, Ledger
from xlv.questions.claims.table import CONFIRMED, SUPPORTED
from xlv.questions.claims.verdicts import ALIKE, FAILS, HOLDS, NOT_ASKED, OF_CONTROL, OF_TWO, READ, UNDECIDED
from xlv.questions.control.rates import is_generated, refusal_table
from xlv.report import drawing as draw
from xlv.report.drawing import BLUE, CONDITION_COLOURS, DIGITS, FAINT, INK, MARKERS, ORANGE
from xlv.report.formats import p_value, plain, say, signed, told_apart, unbroken
from xlv.results import Results
from xlv.schema import HARMFUL

KINDS = {  # colour, sign and the sign's colour of each status and verdict, in the order of `claims.table.tally`
    f"{CONFIRMED}: {HOLDS}": (BLUE, "✓", "white"),
    f"{CONFIRMED}: {FAILS}": (ORANGE, "✗", "white"),
    f"{SUPPORTED}: {HOLDS}": ("#a9d3ec", "(✓)", INK),
    f"{SUPPORTED}: {FAILS}": ("#f8cdaa", "(✗)", INK),
    UNDECIDED: ("#d9d9d9", "?", INK),
    NOT_ASKED: ("#f7f7f7", "–", FAINT),
}
OF_ONE = [claim for claim in CLAIMS if claim not in (*OF_TWO, *OF_CONTROL)]
_LEVELS = ("1a", "3")  # claims on a level, whose numbers have no sign
_COARSE = {*_LEVELS, *OF_CONTROL, *"1b 4a 4b 7 M".split()}  # claims whose rules need two digits; the others need three


def kinds(rows: pd.DataFrame) -> pd.Series:
    """Status and verdict of each row of `Ledger.verdicts`, as a key of KINDS."""
    decided = ~rows["status"].isin([UNDECIDED, NOT_ASKED])
    return rows["status"] + (": " + rows["verdict"]).where(decided, "")


def counts(of: pd.Series) -> str:
    """How many there are of each of some KINDS, by sign: `3 ✓  1 (✓)  2 ?`."""
    found = of.value_counts()
    return unbroken("  ".join(f"{found[kind]} {sign}" for kind, (_, sign, _) in KINDS.items() if kind in found))


def number(claim: str, value: float) -> str:
    """A claim's statistic; a dash where there is none."""
    return (plain if claim in _LEVELS else signed)(value, 2 if claim in _COARSE else 3)


def names(found: Ledger) -> dict[str, str]:
    """Short titles by model."""
    return dict(zip(found.titles, told_apart(found.titles.values()), strict=True))


def _shown(found: Ledger) -> pd.DataFrame:
    """The verdicts with `kind`, models by short title, and in `part` both models where a claim compares two."""
    called, rows = {model: name.replace("\n", " ") for model, name in names(found).items()}, found.verdicts
    statistic, _, other = (
        zip(*rows["part"].str.rpartition(", minus ").to_numpy(), strict=True) if len(rows) else [()] * 3
    )
    compared = [
        f"{what}: {called[model]} − {called[less]}".removeprefix(": ") if less in called else less
        for what, model, less in zip(statistic, rows["model"], other, strict=True)
    ]
    return rows.assign(kind=kinds(rows), model=rows["model"].map(called), part=compared)


def verdicts(found: Ledger) -> Figure:
    """Claims on single models: a panel per model, claims down, concepts across; colour and sign are the verdict."""
    table = _shown(found)
    table, height = table[table["claim"].isin(OF_ONE)], 0.32 * len(OF_ONE) + 0.75
    if not len(table):
        return draw.nothing("unjudged")
    figure, axes = draw.panels(table["model"].nunique(), height, per_row=2)
    for panel, (title, rows) in zip(axes, table.groupby("model", sort=False), strict=True):
        cells = rows.pivot(index="claim", columns="concept", values="kind")
        _map(panel, cells.reindex(index=OF_ONE, columns=table["concept"].unique()))
        panel.set_title(title)
    for panel in axes[::2]:
        says = [fill(f"{claim}  {CLAIMS[claim]['says'].rstrip('.')}", 44, subsequent_indent="   ") for claim in OF_ONE]
        panel.set_yticks(range(len(OF_ONE)), says, fontsize=7.5)
    return _legend(figure, table)


def comparisons(found: Ledger) -> Figure:
    """Claims on two models: comparisons down, concepts across."""
    table = _shown(found)
    table = table[table["claim"].isin(OF_TWO)]
    if not len(table):
        return draw.nothing("compared")
    table = table.assign(row=table["claim"] + "  " + table["part"])
    order = table.sort_values(["claim", "part"], kind="stable")["row"].unique()
    figure, (panel,) = draw.panels(1, 0.27 * len(order) + 0.75)
    _map(panel, table.pivot(index="row", columns="concept", values="kind").loc[order, table["concept"].unique()])
    panel.set_yticks(range(len(order)), order, fontsize=8)
    return _legend(figure, table)


def _map(panel: Axes, frame: pd.DataFrame) -> None:
    """Cells in colours and signs of KINDS; white where nothing was measured."""
    codes = frame.apply(lambda column: column.map({kind: code for code, kind in enumerate(KINDS)})).to_numpy(
        dtype=float
    )
    colours = ListedColormap([colour for colour, _, _ in KINDS.values()]).with_extremes(bad="white")
    panel.imshow(np.ma.masked_invalid(codes), cmap=colours, vmin=-0.5, vmax=len(KINDS) - 0.5, aspect="auto")
    for (row, column), kind in np.ndenumerate(frame.to_numpy()):
        if kind in KINDS:
            look = {"ha": "center", "va": "center", "fontsize": 9, "weight": "bold", "color": KINDS[kind][2]}
            panel.text(column, row, KINDS[kind][1], **look)
    panel.set_xticks(range(frame.shape[1]), frame.columns, rotation=35, ha="right", rotation_mode="anchor", fontsize=8)
    panel.set_xticks(np.arange(frame.shape[1] - 1) + 0.5, minor=True)
    panel.set_yticks(np.arange(len(frame) - 1) + 0.5, minor=True)
    panel.tick_params(which="both", length=0)
    panel.grid(which="minor", color="white", lw=1.5)
    panel.spines[:].set_visible(False)


def _legend(figure: draw.NumberedFigure, table: pd.DataFrame) -> Figure:
    """The figure with the meaning of colours and signs, and the verdicts as its numbers."""
    patches = [
        Patch(fc=colour, ec="#bbbbbb", lw=0.5, label=f"{sign}  {kind}") for kind, (colour, sign, _) in KINDS.items()
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=3, fontsize=8)
    figure.numbers = table.drop(columns="kind").round(DIGITS).to_csv(index=False)
    return figure


def tables(found: Ledger) -> Markup:
    """All verdicts with their statistics, as HTML: a table per claim, folded below what the claim says."""
    table, parts = _shown(found), []
    directed = table["claim"].isin(OF_CONTROL)
    table["about"] = table["part"].where((table["part"] != "") & ~directed, table["model"])
    table["concept"] = table["part"].where(directed, table["concept"])
    for claim in (claim for claim in CLAIMS if (table["claim"] == claim).any()):
        rows = table[table["claim"] == claim]
        left_out = rows[rows["status"] == NOT_ASKED].groupby(["about", "why"], sort=False)["concept"].agg(", ".join)
        told = claim, CLAIMS[claim]["says"], counts(rows["kind"])
        parts.append(Markup("<details><summary><b>{}</b> {} {}</summary>").format(*told))
        parts.append(Markup(_table(claim, rows[rows["status"] != NOT_ASKED]).to_html(index_names=False, border=0)))
        named = (Markup("{}: {} ({})").format(about, which, why) for (about, why), which in left_out.items())
        parts.append(
            Markup("<p>Not asked. {}</p></details>" if len(left_out) else "</details>").format(Markup("; ").join(named))
        )
    return Markup("\n").join(parts)


def _table(claim: str, rows: pd.DataFrame) -> pd.DataFrame:
    def interval(end: str) -> list[str]:
        ends = zip(rows[f"low{end}"], rows[f"high{end}"], strict=True)
        return [unbroken(f"{plain(low, digits)} to {plain(high, digits)}") for low, high in ends]

    digits = 2 if claim in _COARSE else 3
    found = rows["detectable"].where(rows["status"] == UNDECIDED)
    verdict = rows["kind"].map({kind: sign for kind, (_, sign, _) in KINDS.items()}) + " " + rows["status"]
    columns = {
        "verdict": verdict.map(unbroken) + (": " + rows["why"]).where(rows["why"] != "", ""),
        "statistic": [number(claim, value) for value in rows["value"]],
        "simultaneous interval": interval(""),
        "95 % interval": interval("95"),
        "p": rows["p"].map(p_value),
        "four times in five": [plain(value, digits) for value in found],
    }
    cells = {name: list(column) for name, column in columns.items() if name != "p" or rows["p"].notna().any()}
    return pd.DataFrame(cells, index=pd.MultiIndex.from_arrays([rows["about"], rows["concept"]]))


_LINES = {"1a": READ, "3": ALIKE, "5": 0.0}  # of the home page's panels: claims, and where their rules draw the line


def four_questions(found: Ledger, control: Results) -> Figure:
    """Claims 1a, 3 and 5, a dot per concept in the colour of its verdict; refusal rates of the other languages."""
    called = names(found)
    measured = {model: dataset for model, dataset in control.items() if model in called and is_generated(dataset)}
    heights = (*[0.62 + 0.3 * len(called)] * len(_LINES), 0.62 + 0.45 * max(1, len(measured)))
    figure = draw.new_figure(4.9, sum(heights) + 0.7)
    *axes, rates = figure.subplots(len(heights), 1, height_ratios=heights)
    for panel, (claim, line) in zip(axes, _LINES.items(), strict=True):
        by_model = [found.rows(claim, model) for model in called]
        panel.axvline(line, color=FAINT, lw=0.8)
        for row, rows in enumerate(by_model):
            for value, kind in zip(rows["value"], kinds(rows), strict=True):
                panel.plot(value, row, "o", color=KINDS[kind][0], mec=INK, mew=0.4, ms=5)
        words = [counts(kinds(rows)) for rows in by_model]
        _frame(panel, say("home", f"title_{claim}"), say("home", f"label_{claim}"), called.values(), words)
        panel.locator_params(axis="x", nbins=5)
    _rates(rates, measured)
    eighth = found.verdicts[found.verdicts["claim"].isin(OF_CONTROL)]
    words = [counts(kinds(eighth[eighth["model"] == model])) for model in measured]
    label = "label_8" if measured else "not_measured"
    _frame(rates, say("home", "title_8"), say("home", label), [called[model] for model in measured], words)
    rates.set_xlim(-0.02, 1.02)
    return draw.legend_below(figure) if measured else figure


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
