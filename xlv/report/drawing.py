"""What the figures of all questions draw alike: a panel or a matrix per model, and dots with intervals."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from xlv.corpus.languages import labels
from xlv.report.style import BLUE, FAINT, GAP, NumberedFigure, csv_of, heat_map, new_figure, panels, titles_of

Results = Mapping[str, xr.Dataset]
Table = Callable[[xr.Dataset], pd.DataFrame]


def model_panels(
    datasets: Results, table: Table, height: Callable[[pd.DataFrame], float] | float, *, at: float | None = None, **look
) -> tuple[NumberedFigure, list[tuple[Axes, pd.DataFrame, xr.Dataset]]]:
    """A figure with a titled panel per model, and with each panel its model's table and results.

    The tables are the figure's numbers. The `height` of a panel, in inches, may depend on the longest table. A faint
    line stands `at` a value of x. `look` as in `panels`.
    """
    found = [table(dataset) for dataset in datasets.values()]
    high = height(max(found, key=len)) if callable(height) else height
    figure, axes = panels(len(found), high, **look)
    figure.numbers = csv_of(datasets, found)
    for panel, title in zip(axes, titles_of(datasets), strict=True):
        panel.set_title(title)
        if at is not None:
            panel.axvline(at, color=FAINT, lw=0.8)
    return figure, list(zip(axes, found, datasets.values(), strict=True))


def dots(
    panel: Axes,
    table: pd.DataFrame,
    value: str = "value",
    ends: tuple[str, str] = ("low", "high"),
    *,
    by: float = 0.0,
    colour: str = BLUE,
    marker: str = "o",
    size: float = 5,
    label: str = "",
) -> None:
    """A column of a table as dots with intervals, the first row on top, all of them moved down `by` so many rows."""
    places = np.arange(len(table)) + by
    panel.hlines(places, table[ends[0]], table[ends[1]], color=colour, lw=1.6)
    panel.plot(table[value], places, marker, color=colour, ms=size, label=label)


def name_rows(panel: Axes, names: Sequence[str], **look) -> None:
    """Names at the rows of a panel, the first on top."""
    panel.set_yticks(range(len(names)), names, **look)
    panel.invert_yaxis()


def matrices(
    datasets: Results, table: Table, *, label: str, reach: float | None = None, whole: bool = False, **look
) -> tuple[NumberedFigure, Sequence[Axes]]:
    """Heat maps below each other, a matrix per model, each with its colour bar; `look` as in `heat_map`.

    Without `low` and `high` all run from minus to plus the largest value, `reach` at least. Titles are `whole` where
    they say whose results they are.
    """
    frames = [table(dataset) for dataset in datasets.values()]
    if reach is not None:
        look["high"] = max(reach, *(float(np.nanmax(np.abs(frame.to_numpy()))) for frame in frames))
        look["low"] = -look["high"]
    side = 0.36 * len(frames[0]) + 0.9
    figure = new_figure(min(8.2, side + 2.4), side * 0.82 * len(frames), gap=GAP)
    figure.numbers = csv_of(datasets, frames)
    axes = figure.subplots(len(frames), 1, squeeze=False)[:, 0]
    titles = [d.attrs["title"] for d in datasets.values()] if whole else titles_of(datasets)
    for panel, frame, title in zip(axes, frames, titles, strict=True):
        mesh = heat_map(panel, frame.set_axis(labels(frame.index)), **look)
        panel.set_title(title.replace("\n", " "))
        figure.colorbar(mesh, ax=panel, shrink=0.8, label=label, pad=0.01)
    return figure, axes
