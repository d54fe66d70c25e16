"""The figures of question 4: each function takes results by model and returns one figure, a row a model."""

from collections.abc import Callable
from functools import wraps

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xlv.control.names import DIRECTIONS, KINDS, OTHER_CONCEPT, OWN, RANDOM
from xlv.corpus.languages import labels, language
from xlv.questions.control import rates as tables
from xlv.questions.control import scores as scores
from xlv.report.style import (
    BLUE,
    CONDITION_COLOURS,
    FAINT,
    GAP,
    GREEN,
    INK,
    MARKERS,
    ORANGE,
    PURPLE,
    heat_map,
    legend_below,
    new_figure,
    panels,
    titles_of,
)

HIGHLIGHTED = {"en": INK, "fr": BLUE, "zh": ORANGE, "ja": GREEN, "sw": PURPLE}


def _rows(columns: int, heights: list[float], xlabel: str, *, width: float = 8.6) -> tuple[Figure, np.ndarray]:
    """A figure with rows of axes, each so many inches high and of one scale; the label stands below the last."""
    figure = new_figure(width, sum(heights) + 0.4, gap=GAP)
    axes = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights, sharey="row")
    for panel in axes[-1]:
        panel.set_xlabel(xlabel)
    return figure, axes


def _generated(datasets: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    return {model: dataset for model, dataset in datasets.items() if tables.is_generated(dataset)}


def _nothing(text: str) -> Figure:
    figure = new_figure(7.2, 0.6)
    axes = figure.subplots()  # a notebook shows no figure without axes
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center", color=FAINT)
    return figure


def _of_some(draw: Callable[[dict[str, xr.Dataset]], Figure]) -> Callable[[dict[str, xr.Dataset]], Figure]:
    """The figure, or a line that says that there is nothing to draw."""

    @wraps(draw)
    def drawn(datasets: dict[str, xr.Dataset]) -> Figure:
        return draw(datasets) if datasets else _nothing("question 4 was not asked of any of these models")

    return drawn


def _codes(dataset: xr.Dataset) -> list[str]:
    return [str(code) for code in dataset["target"].values]


@_of_some
def refusal_rates(datasets: dict[str, xr.Dataset]) -> Figure:
    """Refusal rates of harmful and harmless instructions by language, without control and in both directions."""
    shown = _generated(datasets)
    if not shown:
        return _nothing("no completions were generated: no model here has a chat template")
    heights = [0.36 * len(_codes(dataset)) + 0.9 for dataset in shown.values()]
    figure, axes = _rows(2, heights, "refusal rate (95 % interval)")
    for row, dataset, title in zip(axes, shown.values(), titles_of(shown), strict=True):
        table, codes = tables.refusal_table(dataset), _codes(dataset)
        for panel, kind in zip(row, KINDS, strict=True):
            for k, (condition, colour) in enumerate(CONDITION_COLOURS.items()):
                rows = table[(table["kind"] == kind) & (table["condition"] == condition)].set_index("target").loc[codes]
                places = np.arange(len(codes)) + (k - 1) * 0.22
                panel.hlines(places, rows["low"], rows["high"], color=colour, lw=1.4)
                panel.plot(rows["rate"], places, MARKERS[condition], color=colour, ms=4.5, label=condition)
            panel.set(title=f"{title}\n{kind} instructions", xlim=(-0.02, 1.02))
        row[0].set_yticks(range(len(codes)), labels(codes))
        row[0].invert_yaxis()
    legend_below(figure)
    return figure


@_of_some
def search_surface(datasets: dict[str, xr.Dataset]) -> Figure:
    """Mean refusal score of the source's harmful instructions over layers and dose, with the chosen setting framed."""
    shown = [scores.of_source(dataset) for dataset in datasets.values()]
    figure, axes = _rows(2, [0.4 * d.sizes["window"] + 1.1 for d in shown], "dose |s|·‖v‖ / mean residual norm")
    for row, dataset, title in zip(axes, shown, titles_of(datasets), strict=True):
        shift = dataset["search_score"] - dataset["search_baseline"]
        limit = max(0.5, float(np.abs(shift).max()))
        for panel, direction in zip(row, DIRECTIONS, strict=True):
            frame = shift.sel(direction=direction).to_pandas()
            frame.columns = [f"{dose:.1%}".replace("%", " %") for dose in frame.columns]
            mesh = heat_map(panel, frame, cmap="RdBu", low=-limit, high=limit, text="{:+.1f}", size=8)
            chosen = dataset.sel(direction=direction)
            line = list(dataset["window"].values).index(f"{int(chosen['first_layer'])}–{int(chosen['last_layer'])}")
            column = int(np.abs(dataset["dose"].values - float(chosen["chosen_dose"])).argmin())
            panel.add_patch(Rectangle((column - 0.5, line - 0.5), 1, 1, fill=False, ec=INK, lw=2.2))
            panel.set(title=f"{title}\n{direction}")
        row[0].set_ylabel("layers")
        figure.colorbar(mesh, ax=list(row), shrink=0.9, label="shift of score (nats)", pad=0.01)
    return figure


@_of_some
def score_shifts(datasets: dict[str, xr.Dataset]) -> Figure:
    """Shift of the refusal score by language: the source's vector in both directions beside what it is held against."""
    heights = [0.34 * len(_codes(dataset)) + 0.8 for dataset in datasets.values()]
    xlabel = "shift of the mean refusal score of harmful instructions (nats)"
    figure, axes = _rows(1, heights, xlabel, width=7.6)
    for panel, dataset, title in zip(axes[:, 0], datasets.values(), titles_of(datasets), strict=True):
        table, codes = scores.score_table(dataset), _codes(dataset)
        places = np.arange(len(codes))

        def draw(names, marker, look, label, offset, table=table, codes=codes, places=places, panel=panel):
            for k, name in enumerate(names):
                row = table.loc[name, codes]
                panel.plot(row, places + offset, marker, label=label if k == 0 else None, **look)

        draw(scores.names_by(dataset, RANDOM), ".", {"color": FAINT, "ms": 4}, "random vectors", 0.0)
        other = {"color": PURPLE, "ms": 5}
        draw(scores.names_by(dataset, OTHER_CONCEPT), "x", other, "another concept's vector", 0.0)
        for direction in DIRECTIONS:
            look = {"color": CONDITION_COLOURS[direction], "ms": 6}
            draw([direction], MARKERS[direction], look, direction, 0.0)
            hollow = {**look, "mfc": "none"}
            draw(scores.names_by(dataset, OWN, direction), MARKERS[direction], hollow, f"own vector {direction}", 0.25)
        panel.axvline(0, color=FAINT, lw=0.8)
        panel.set_yticks(places, labels(codes))
        panel.invert_yaxis()
        panel.set_title(title)
    legend_below(figure)
    return figure


@_of_some
def dose_response(datasets: dict[str, xr.Dataset]) -> Figure:
    """Shift of the refusal score by dose in both directions, a line a language, harmful and harmless instructions."""
    figure, axes = _rows(2, [2.5] * len(datasets), "dose (%), towards refusing →")
    for row, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        table = scores.response_table(dataset)
        for panel, kind in zip(row, KINDS, strict=True):
            for code, line in table[table["kind"] == kind].groupby("target", sort=False):
                look = {"color": HIGHLIGHTED.get(code, "#bbbbbb"), "lw": 1.6 if code in HIGHLIGHTED else 0.8}
                known = code in HIGHLIGHTED
                panel.plot(100 * line["dose"], line["shift"], label=language(code).name if known else None, **look)
            panel.axhline(0, color=FAINT, lw=0.8)
            panel.axvline(0, color=FAINT, lw=0.8)
            panel.set_title(f"{title}\n{kind} instructions")
        row[0].set_ylabel("shift of score (nats)")
    legend_below(figure, columns=5)
    return figure


@_of_some
def selectivity(datasets: dict[str, xr.Dataset]) -> Figure:
    """Refusal of harmful instructions against over-refusal of harmless ones, a point a language and condition."""
    shown = _generated(datasets)
    if not shown:
        return _nothing("no completions were generated: no model here has a chat template")
    axes_ = {"xlabel": "over-refusal (harmless)", "ylabel": "refusal rate (harmful)"}
    figure, axes = panels(len(shown), 4.1, width=8.6 if len(shown) > 1 else 5.2, per_row=2, **axes_)
    for panel, dataset, title in zip(axes, shown.values(), titles_of(shown), strict=True):
        table = tables.selectivity_table(dataset)
        table = table[table["condition"].isin(list(CONDITION_COLOURS))]
        panel.plot([0, 1], [0, 1], color=FAINT, lw=0.8, ls="--")
        for condition, colour in CONDITION_COLOURS.items():
            rows = table[table["condition"] == condition]
            panel.plot(rows["over_refusal"], rows["refusal"], MARKERS[condition], color=colour, ms=5, label=condition)
        for _, row in table[_apart(table[["over_refusal", "refusal"]].to_numpy())].iterrows():
            look = {"textcoords": "offset points", "fontsize": 7, "color": CONDITION_COLOURS[row["condition"]]}
            panel.annotate(row["target"], (row["over_refusal"], row["refusal"]), xytext=(3, 2), **look)
        panel.set(title=title, xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    legend_below(figure)
    return figure


def _apart(points: np.ndarray, width: float = 0.045, height: float = 0.035) -> np.ndarray:
    """Marks of the points `[point, axis]` with room for a name: no other is as near as a name is wide and high."""
    near = (np.abs(points[:, None] - points[None]) < (width, height)).all(axis=-1)
    return near.sum(axis=1) == 1


@_of_some
def score_auroc(datasets: dict[str, xr.Dataset]) -> Figure:
    """AUROC of the refusal score, harmful against harmless instructions, by language in the three main conditions."""
    heights = [0.34 * len(_codes(dataset)) + 0.8 for dataset in datasets.values()]
    figure, axes = _rows(1, heights, "AUROC of the refusal score (95 % interval)", width=7.2)
    for panel, dataset, title in zip(axes[:, 0], datasets.values(), titles_of(datasets), strict=True):
        table, codes = scores.auroc_table(dataset), _codes(dataset)
        for k, (condition, colour) in enumerate(CONDITION_COLOURS.items()):
            rows = table[table["condition"] == condition].set_index("target").loc[codes]
            places = np.arange(len(codes)) + (k - 1) * 0.22
            panel.hlines(places, rows["low"], rows["high"], color=colour, lw=1.4)
            panel.plot(rows["auroc"], places, MARKERS[condition], color=colour, ms=4.5, label=condition)
        panel.axvline(0.5, color=FAINT, lw=0.8)
        panel.set_yticks(range(len(codes)), labels(codes))
        panel.invert_yaxis()
        panel.set(title=title, xlim=(0.2, 1.01))
    legend_below(figure)
    return figure


@_of_some
def source_target_map(datasets: dict[str, xr.Dataset]) -> Figure:
    """Shift of the refusal score of harmful instructions, sources down, targets across; a row a direction."""
    frames = [[scores.source_target(dataset, d) for d in DIRECTIONS] for dataset in datasets.values()]
    figure, axes = _rows(1, [0.4 * len(frame) + 0.7 for pair in frames for frame in pair], "target", width=8.2)
    for pair, panels_, title in zip(frames, axes.reshape(-1, 2), titles_of(datasets), strict=True):
        limit = max(0.5, float(np.nanmax(np.abs(pd.concat(pair).to_numpy()))))
        for panel, frame, direction in zip(panels_, pair, DIRECTIONS, strict=True):
            mesh = heat_map(panel, frame, cmap="RdBu", low=-limit, high=limit, text="{:+.1f}", size=8)
            panel.set_title(f"{title}, {direction}")
            panel.set_yticks(range(len(frame)), labels(frame.index))
        figure.colorbar(mesh, ax=list(panels_), shrink=0.9, label="shift (nats)", pad=0.01)
    return figure
