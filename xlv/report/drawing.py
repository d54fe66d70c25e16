"""What the figures of all questions draw alike: a panel or a matrix per model, and dots with intervals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from xlv.corpus.languages import labels
from xlv.report.style import BLUE, FAINT, GAP, MODEL_COLOURS, NumberedFigure, heat_map, new_figure, panels, titles_of

Results = Mapping[str, xr.Dataset]
Table = Callable[[xr.Dataset], pd.DataFrame]
DIGITS = 5  # of the numbers behind a figure


def csv_of(datasets: Results, tables: Iterable[pd.DataFrame]) -> str:
    """One table per model, stacked, as CSV: the first column is the model's title."""
    titles = [dataset.attrs["title"] for dataset in datasets.values()]
    return pd.concat(list(tables), keys=titles, names=["model"]).round(DIGITS).to_csv()


def model_panels(
    datasets: Results, table: Table, height: float, *, each: float = 0, at: float | None = None, **look
) -> tuple[NumberedFigure, list[tuple[Axes, pd.DataFrame, xr.Dataset]]]:
    """A figure with a titled panel per model, and with each panel its model's table and results.

    The tables are the figure's numbers. Panels are `height` inches high and `each` more for each row of the longest
    table. A faint line stands `at` a value of x. `look` as in `panels`.
    """
    found = [table(dataset) for dataset in datasets.values()]
    figure, axes = panels(len(found), height + each * max(map(len, found)), **look)
    figure.numbers = csv_of(datasets, found)
    for panel, title in zip(axes, titles_of(datasets), strict=True):
        panel.set_title(title)
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
    """A column as dots with intervals, the first row on top, all of them `by` so many rows lower.

    Intervals end at the columns `low` and `high`, or where there are such at those of the column's own name.
    """
    places, prefix = np.arange(len(rows)) + by, f"{value}_" if f"{value}_low" in rows else ""
    axes.hlines(places, rows[f"{prefix}low"], rows[f"{prefix}high"], color=color, lw=1.6)
    axes.plot(rows[value], places, marker, color=color, **{"ms": 5} | look)


def name_rows(panel: Axes, names: Sequence[str], **look) -> None:
    """Names at the rows of a panel, the first on top."""
    panel.set_yticks(range(len(names)), names, **look)
    panel.invert_yaxis()


def matrices(
    datasets: Results, table: Table, *, label: str, reach: float | None = None, **look
) -> tuple[NumberedFigure, Sequence[Axes]]:
    """Heat maps below each other, a matrix per model, each with its colour bar; `look` as in `heat_map`.

    Without `low` and `high` all run from minus to plus the largest value, `reach` at least.
    """
    frames = [table(dataset) for dataset in datasets.values()]
    if reach is not None:
        look["high"] = max(reach, *(float(np.nanmax(np.abs(frame.to_numpy()))) for frame in frames))
        look["low"] = -look["high"]
    side = 0.36 * len(frames[0]) + 0.9
    figure = new_figure(min(8.2, side + 2.4), side * 0.82 * len(frames), gap=GAP)
    figure.numbers = csv_of(datasets, frames)
    axes = figure.subplots(len(frames), 1, squeeze=False)[:, 0]
    for panel, frame, title in zip(axes, frames, titles_of(datasets), strict=True):
        mesh = heat_map(panel, frame.set_axis(labels(frame.index)), **look)
        panel.set_title(title.replace("\n", " "))
        figure.colorbar(mesh, ax=panel, shrink=0.8, label=label, pad=0.01)
    return figure, axes
