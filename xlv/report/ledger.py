"""The claims ledger as a reader sees it: maps of verdicts, the tables behind them, and the figure of the home page."""

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
from xlv.questions.claims.verdicts import FAILS, HOLDS, NOT_ASKED, OF_CONTROL, OF_TWO, UNDECIDED
from xlv.report import drawing as draw
from xlv.report.drawing import BLUE, DIGITS, FAINT, INK, ORANGE
from xlv.report.formats import p_value, plain, signed, told_apart, unbroken

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
