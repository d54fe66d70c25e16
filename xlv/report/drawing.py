"""How figures are drawn: one style, panels or matrices of models, dots with intervals, and each brings its numbers.

Vector output, and colours that the colour-blind distinguish.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
import xarray as xr
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xlv.corpus.languages import labels
from xlv.report.formats import cell, say, told_apart
from xlv.results import Results
from xlv.schema import BASELINE, FOLLOWING, REFUSING

Table, Draw = Callable[[xr.Dataset], pd.DataFrame], Callable[..., Figure]
DIGITS = 5  # of the numbers behind a figure
WIDE = 9.6  # inches of a figure that takes the width of the text
GAP = 0.09  # inches above and below each panel of a grid
INK, FAINT = "#222222", "#8a8a8a"
MODEL_COLOURS = BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito
_FAMILIES = (
    "Indo-European Niger-Congo Uralic Dravidian Sino-Tibetan Austroasiatic Austronesian Japonic Koreanic".split()
)
_OTHERS = "#8c564b", "#7f7f00", "#17677f", "#b22222", "#4b0082"
FAMILY_COLOURS = dict(zip(_FAMILIES, (*MODEL_COLOURS, *_OTHERS), strict=True))
CONDITION_COLOURS = {BASELINE: INK, REFUSING: BLUE, FOLLOWING: ORANGE}
MARKERS = {BASELINE: "o", REFUSING: "^", FOLLOWING: "v"}


def use_style() -> None:
    """Set the book's style for all figures and tables of this process; figures are drawn as SVG in notebooks."""
    # These would stand on a page with this machine's paths; browsers can draw what our font lacks, bars are not wanted.
    harmless = "Glyph .* missing from|Matplotlib currently does not support|constrained_layout not|IProgress not found"
    warnings.filterwarnings("ignore", harmless)
    matplotlib.style.use(Path(__file__).parent / "assets" / "book.mplstyle")
    pd.set_option("display.max_colwidth", None, "display.max_rows", 200, "display.max_columns", 40)
    pd.set_option("styler.format.escape", "html", "styler.html.mathjax", False, "display.html.use_mathjax", False)
    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})


class NumberedFigure(Figure):
    """A figure with the numbers that it draws as CSV: its plain text in a notebook, and a page's download."""

    numbers = ""

    def _repr_pretty_(self, printer, _cycle: bool) -> None:
        printer.text(self.numbers or repr(self))


def new_figure(width: float, height: float, *, gap: float = 0.04) -> NumberedFigure:
    """A figure in inches, a `gap` above and below its panels; pyplot does not know it, so a notebook shows it once."""
    figure = NumberedFigure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(h_pad=gap)
    return figure


def nothing(why: str, **numbers: int) -> NumberedFigure:
    """A figure that says why there is none, by a phrase of the table `few`; a notebook shows none without axes."""
    figure = new_figure(7.2, 0.6)
    axes = figure.subplots()
    axes.axis("off")
    axes.text(0.5, 0.5, f"nothing to draw: {say('few', why, **numbers)}", ha="center", va="center", color=FAINT)
    return figure


def needs(languages: int) -> Callable[[Draw], Draw]:
    """For a function that draws results by model: it draws those in so many languages, and says so if there is none."""

    def enough(draw: Draw, datasets: Results, *more: object, **look: object) -> Figure:
        shown = {model: dataset for model, dataset in datasets.items() if dataset.sizes["source"] >= languages}
        return draw(shown, *more, **look) if shown else nothing("figure", languages=languages)

    return lambda draw: wraps(draw)(partial(enough, draw))


def panels(
    count: int, height: float, *, width=8.6, per_row=0, share=True, xlabel="", ylabel=""
) -> tuple[NumberedFigure, Sequence[Axes]]:
    """A figure of `count` panels of `height` inches: up to three in a row, four as two by two, labelled at the edges
    and, if they `share`, with the same scales, so that models compare at a glance."""
    per_row = min(count, per_row or (2 if count == 4 else 3))
    rows = -(-count // per_row)
    figure = new_figure(width, rows * height + 0.55, gap=GAP)
    axes = figure.subplots(rows, per_row, sharex=share, sharey=share, squeeze=False).ravel()
    for spare in axes[count:]:
        spare.remove()
    for panel in axes[max(0, count - per_row) : count]:  # nothing below them
        panel.set_xlabel(xlabel)
        panel.tick_params(axis="x", labelbottom=True)
    for panel in axes[:count:per_row]:
        panel.set_ylabel(ylabel)
    return figure, axes[:count]


def legend_below(figure: NumberedFigure, *, columns: int = 3) -> NumberedFigure:
    """The figure with one legend for all panels, below them: whatever any of them draws, once."""
    drawn = {}
    for axes in figure.axes:
        drawn |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(list(drawn.values()), list(drawn), loc="outside lower center", ncols=columns, fontsize=8)
    return figure


def titles_of(datasets: Results) -> list[str]:
    """The models' names as titles of panels."""
    return told_apart(dataset.attrs["title"] for dataset in datasets.values())


def heat_map(
    axes: Axes, frame: pd.DataFrame, *, cmap: str, low: float, high: float, text="{:.2f}", size=6.5, diagonal=True
):
    """A matrix with its numbers in the cells, on the `diagonal` too if it says something; NaN cells stay grey."""
    values = np.ma.masked_invalid(frame.to_numpy(dtype=float))
    colours = mpl.colormaps[cmap].with_extremes(bad="#dddddd")
    mesh = axes.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
    axes.set_xticks(range(frame.shape[1]), frame.columns)
    axes.set_yticks(range(frame.shape[0]), frame.index)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(values.filled(np.nan)):
        if np.isfinite(value) and (diagonal or row != column):
            red, green, blue, _ = mesh.cmap(mesh.norm(value))
            ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else INK
            axes.text(column, row, cell(value, text), ha="center", va="center", fontsize=size, color=ink)
    return mesh


def csv_of(datasets: Results, tables: Iterable[pd.DataFrame]) -> str:
    """One table per model, stacked, as CSV: the first column is the model's title."""
    titles = [dataset.attrs["title"] for dataset in datasets.values()]
    return pd.concat(list(tables), keys=titles, names=["model"]).round(DIGITS).to_csv()


def model_panels(
    datasets: Results, table: Table, height: float, *, each: float = 0, at: float | None = None, note="", **look
) -> tuple[NumberedFigure, list[tuple[Axes, pd.DataFrame, xr.Dataset]]]:
    """A figure with a titled panel per model, and with each panel its model's table, the figure's numbers, and results.

    Panels are `height` inches high and `each` more for each row of the longest table. A faint line stands `at` a value
    of x, and below each title a `note`, filled with the table's `attrs`. `look` as in `panels`."""
    found = [table(dataset) for dataset in datasets.values()]
    figure, axes = panels(len(found), height + each * max(map(len, found)), **look)
    figure.numbers = csv_of(datasets, found)
    for panel, title, rows in zip(axes, titles_of(datasets), found, strict=True):
        panel.set_title(f"{title}\n{note.format(**rows.attrs)}".strip())
        if at is not None:
            panel.axvline(at, color=FAINT, lw=0.8)
    return figure, list(zip(axes, found, datasets.values(), strict=True))


def one_panel(
    datasets: Results, table: Table, height: float, **look
) -> tuple[NumberedFigure, Axes, list[tuple[pd.DataFrame, str, str]]]:
    """A figure of one panel for all models, and of each model its table, colour and title; see `model_panels`."""
    found = [table(dataset) for dataset in datasets.values()]
    figure, (panel,) = panels(1, height, **look)
    figure.numbers = csv_of(datasets, found)
    return figure, panel, list(zip(found, cycle(MODEL_COLOURS), titles_of(datasets), strict=False))


def dots(
    axes: Axes, rows: pd.DataFrame, value: str = "value", *, by: float = 0, color: str = BLUE, marker: str = "o", **look
) -> None:
    """A column as dots, `by` so many rows lower; intervals are the columns `low` and `high`, or those of its name."""
    places, prefix = np.arange(len(rows)) + by, f"{value}_" if f"{value}_low" in rows else ""
    axes.hlines(places, rows[f"{prefix}low"], rows[f"{prefix}high"], color=color, lw=1.6)
    axes.plot(rows[value], places, marker, color=color, **{"ms": 5} | look)


def name_rows(panel: Axes, names: Sequence[str], **look) -> None:
    """Names at the rows of a panel, the first on top."""
    panel.set_yticks(range(len(names)), names, **look)
    panel.invert_yaxis()


def matrices(
    datasets: Results, table: Table, *, label: str, reach: float | None = None, per_row: int = 4, text="{:.2f}", **look
) -> tuple[NumberedFigure, Sequence[Axes]]:
    """Heat maps side by side on one scale, a matrix per model; more than two in a row show colours and codes only.

    `look` as in `heat_map`; without `low` and `high` the scale runs from minus to plus the largest value, `reach` at
    least.
    """
    frames = [table(dataset) for dataset in datasets.values()]
    if reach is not None:
        look["high"] = max(reach, *(float(np.nanmax(np.abs(frame.to_numpy()))) for frame in frames))
        look["low"] = -look["high"]
    across = min(len(frames), per_row)
    down, roomy = -(-len(frames) // across), across < 3
    side = WIDE / across if across > 1 else min(WIDE, 0.36 * len(frames[0].columns) + 3)
    figure = new_figure(
        side * across, down * ((0.26 if roomy else 0.13) * len(frames[0]) + (1.2 if roomy else 0.9)), gap=GAP
    )
    figure.numbers = csv_of(datasets, frames)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for spare in axes[len(frames) :]:
        spare.remove()
    axes = axes[: len(frames)]
    for panel, frame, title in zip(axes, frames, titles_of(datasets), strict=True):
        names = labels(frame.index) if roomy else frame.index
        mesh = heat_map(panel, frame.set_axis(names), text=text if roomy else "", **look)
        panel.set_title(title.replace("\n", " "))
        if not roomy:
            panel.tick_params(labelsize=7)
            panel.tick_params(axis="x", rotation=90)
    figure.colorbar(mesh, ax=list(axes), shrink=0.8, aspect=30, label=label, pad=0.01)
    return figure, axes
