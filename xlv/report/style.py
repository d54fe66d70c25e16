"""One style for all figures: vector output, colour-blind-safe, and each figure brings its numbers along."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
import xarray as xr
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xlv.report.formats import cell, told_apart
from xlv.results import BASELINE, FOLLOWING, REFUSING

GAP = 0.09  # inches above and below each panel of a grid
INK, FAINT = "#222222", "#8a8a8a"
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito
MODEL_COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
FAMILY_COLOURS = {
    "Indo-European": BLUE,
    "Niger-Congo": ORANGE,
    "Uralic": GREEN,
    "Dravidian": PURPLE,
    "Sino-Tibetan": "#8c564b",
    "Austroasiatic": "#7f7f00",
    "Austronesian": "#17677f",
    "Japonic": "#b22222",
    "Koreanic": "#4b0082",
}
CONDITION_COLOURS = {BASELINE: INK, REFUSING: BLUE, FOLLOWING: ORANGE}
MARKERS = {BASELINE: "o", REFUSING: "^", FOLLOWING: "v"}


def use_style() -> None:
    """Set the book's style for all figures and tables of this process; figures are drawn as SVG in notebooks."""
    matplotlib.style.use(Path(__file__).parent / "assets" / "book.mplstyle")
    pd.set_option("display.max_colwidth", None, "display.max_rows", 200, "display.max_columns", 40)
    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})


class NumberedFigure(Figure):
    """A figure that brings along the numbers that it draws, as CSV.

    They are its plain text wherever a notebook shows it as a picture; the book's pages offer them for download.
    """

    numbers = ""

    def _repr_pretty_(self, printer, _cycle: bool) -> None:
        printer.text(self.numbers or repr(self))


def new_figure(width: float, height: float, *, gap: float = 0.04) -> NumberedFigure:
    """A figure of its own: not registered with pyplot, so a notebook shows it once and nothing leaks.

    Sizes in inches; above and below every panel there is a `gap`.
    """
    figure = NumberedFigure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(h_pad=gap)
    return figure


def panels(
    count: int, height: float, *, width=8.6, per_row=0, share=True, xlabel="", ylabel=""
) -> tuple[NumberedFigure, Sequence[Axes]]:
    """A figure of `count` panels, each `height` inches high: up to three in a row, four as two by two.

    Panels that `share` have the same scales, so that models compare at a glance. The labels stand at the outer panels
    only.
    """
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


def legend_below(figure: Figure, *, columns: int = 3) -> None:
    """One legend for all panels, below them: whatever any of them draws, once."""
    drawn = {}
    for axes in figure.axes:
        drawn |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(list(drawn.values()), list(drawn), loc="outside lower center", ncols=columns, fontsize=8)


def titles_of(datasets: Mapping[str, xr.Dataset]) -> list[str]:
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
    for side in axes.spines.values():
        side.set_visible(False)
    for (row, column), value in np.ndenumerate(values.filled(np.nan)):
        if np.isfinite(value) and (diagonal or row != column):
            red, green, blue, _ = mesh.cmap(mesh.norm(value))
            ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else INK
            axes.text(column, row, cell(value, text), ha="center", va="center", fontsize=size, color=ink)
    return mesh
