"""The figures of question 1: each function takes results by model and returns one figure."""

from itertools import cycle

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xlv.corpus.languages import labels
from xlv.questions.common import value_concepts
from xlv.questions.recognition import tables as tables
from xlv.report.style import (
    BLUE,
    FAINT,
    INK,
    MODEL_COLOURS,
    ORANGE,
    heat_map,
    legend_below,
    matrices,
    panels,
    titles_of,
)


def accuracy_by_language(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> Figure:
    """Own-language accuracy, mean over value concepts, with 95 % intervals, beside chance and the surface baseline."""
    codes = [str(code) for code in next(iter(datasets.values()))["source"].values]
    figure, axes = panels(len(datasets), 0.25 * len(codes) + 0.6, xlabel="recognition accuracy")
    places = np.arange(len(codes))
    found = [tables.own_accuracy(dataset, protocol).loc[codes] for dataset in datasets.values()]
    left = min(0.38, min(float(table["low"].min()) for table in found) - 0.02)
    for panel, table, title in zip(axes, found, titles_of(datasets), strict=True):
        panel.axvline(0.5, color=FAINT, lw=0.8)
        panel.hlines(places, table["low"], table["high"], color=BLUE, lw=1.6)
        panel.plot(table["accuracy"], places, "o", color=BLUE, ms=5, label="concept vector (95 % interval)")
        panel.plot(table["surface"], places, "x", color=ORANGE, ms=5, label="surface words or characters")
        nothing = table[["shuffled", "random"]].max(axis=1)
        panel.plot(nothing, places, "|", color=FAINT, ms=8, label="shuffled labels or random directions, 97.5 %")
        panel.set(title=title, xlim=(left, 1.0))
    axes[0].set_yticks(places, labels(codes))
    axes[0].invert_yaxis()
    legend_below(figure)
    return figure


def _dots(panel: Axes, table: pd.DataFrame, places: np.ndarray, colour: str, marker: str, label: str) -> None:
    panel.hlines(places, table["low"], table["high"], color=colour, lw=1.6)
    panel.plot(table["value"], places, marker, color=colour, ms=5, label=label)


def baselines(datasets: dict[str, xr.Dataset]) -> Figure:
    """Mean accuracy over values and languages of the concept vectors and of everything they must beat."""
    found = [tables.baseline_table(dataset) for dataset in datasets.values()]
    figure, axes = panels(len(datasets), 0.27 * max(map(len, found)) + 0.6, xlabel="accuracy (95 % interval)")
    names = max((table.index for table in found), key=len)
    places = np.arange(len(names))
    for panel, table, title in zip(axes, found, titles_of(datasets), strict=True):
        panel.axvline(0.5, color=FAINT, lw=0.8)
        _dots(panel, table.reindex(names), places, INK, "o", "")
        panel.plot(table["value"].iloc[0], places[0], "o", color=BLUE, ms=7)
        panel.set(title=title)
    axes[0].set_yticks(places, names)
    axes[0].invert_yaxis()
    return figure


def accuracy_by_concept(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> Figure:
    """Own-language accuracy of every concept in every language, one matrix a model."""
    frames = [tables.concept_accuracy(dataset, protocol).T for dataset in datasets.values()]
    look = {"cmap": "viridis", "low": 0.4, "high": 1.0, "text": "{:.2f}", "label": "recognition accuracy"}
    figure, axes = matrices(frames, titles_of(datasets), **look)
    for panel in axes:
        panel.tick_params(axis="x", rotation=20)
    return figure


def accuracy_by_layer(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> Figure:
    """Held-out accuracy at every layer, mean over languages: a line a concept, the mean over values with its band."""
    ylabel = "accuracy, mean over languages"
    figure, axes = panels(len(datasets), 2.4, xlabel="relative depth (layer / L)", ylabel=ylabel)
    colours = mpl.colormaps["tab10"].colors
    for panel, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        frame, mean = tables.layer_accuracy(dataset, protocol), tables.layer_mean(dataset, protocol)
        depth = frame.columns.to_numpy() / frame.columns.max()
        for k, (concept, row) in enumerate(frame.iterrows()):
            dashed = concept not in value_concepts(dataset)
            panel.plot(depth, row, color=colours[k % 10], lw=1.1, ls="--" if dashed else "-", label=concept)
        panel.fill_between(depth, mean["low"], mean["high"], color=INK, alpha=0.15, lw=0)
        panel.plot(depth, mean["accuracy"], color=INK, lw=2, label="mean of values (95 % band)")
        panel.axhline(0.5, color=FAINT, lw=0.8)
        panel.set(title=title)
    legend_below(figure, columns=5)
    return figure


def _own_and_other(datasets: dict[str, xr.Dataset], make, xlabel: str) -> Figure:
    """Dots of a table indexed by (kind, own or other vector), a panel a model."""
    found = [make(dataset) for dataset in datasets.values()]
    kinds = list(dict.fromkeys(found[0].index.get_level_values(0)))
    figure, axes = panels(len(datasets), 0.42 * len(kinds) + 0.6, xlabel=xlabel)
    for panel, table, title in zip(axes, found, titles_of(datasets), strict=True):
        panel.axvline(0.5, color=FAINT, lw=0.8)
        for k, (reader, colour, marker) in enumerate((("own", BLUE, "o"), ("other", ORANGE, "D"))):
            rows = table.xs(reader, level=1).loc[kinds]
            _dots(panel, rows, np.arange(len(kinds)) + (k - 0.5) * 0.25, colour, marker, f"{reader} language's vector")
        panel.set(title=title)
    axes[0].set_yticks(range(len(kinds)), [READOUTS.get(kind, kind) for kind in kinds])
    axes[0].invert_yaxis()
    legend_below(figure)
    return figure


READOUTS = {
    "pairs": "pairs in order",
    "auroc": "single texts: AUROC",
    "carried": "threshold of the source",
    "centred": "threshold: target's mean",
}


def readouts(datasets: dict[str, xr.Dataset]) -> Figure:
    """Pairs in the right order, AUROC of single texts, and accuracy at carried and at centred thresholds."""
    return _own_and_other(datasets, tables.readout_table, "share right (95 % interval)")


def estimators(datasets: dict[str, xr.Dataset]) -> Figure:
    """Accuracy of other estimators' directions at the same layers and folds, read by own and other languages."""
    return _own_and_other(datasets, tables.estimator_table, "accuracy (95 % interval)")


def learning_curve(datasets: dict[str, xr.Dataset]) -> Figure:
    """Accuracy of own vectors by number of training pairs, mean over values and languages, with 95 % bands."""
    figure, (panel,) = panels(1, 2.8, width=6.0)
    for dataset, title, colour in zip(datasets.values(), titles_of(datasets), cycle(MODEL_COLOURS), strict=False):
        table = tables.learning_table(dataset)
        panel.fill_between(table.index, table["low"], table["high"], color=colour, alpha=0.15, lw=0)
        panel.plot(table.index, table["accuracy"], "o-", color=colour, ms=4, lw=1.5, label=title)
    panel.axhline(0.5, color=FAINT, lw=0.8)
    panel.set(xscale="log", xlabel="training pairs", ylabel="accuracy")
    panel.set_xticks(tables.learning_table(dataset).index, tables.learning_table(dataset).index)
    panel.minorticks_off()
    legend_below(figure, columns=2)
    return figure


def across_concepts(datasets: dict[str, xr.Dataset]) -> Figure:
    """Accuracy of each concept's vectors (down) on the pairs of every other (across), one matrix a model."""
    frames = [tables.across_concepts(dataset) for dataset in datasets.values()]
    figure, axes = panels(len(frames), 3.6, per_row=2, xlabel="pairs of", ylabel="vector of")
    for panel, frame, title in zip(axes, frames, titles_of(datasets), strict=True):
        mesh = heat_map(panel, frame, cmap="RdBu_r", low=0.0, high=1.0, size=6.5)
        panel.tick_params(axis="x", rotation=90)
        panel.set(title=title.replace("\n", " "))
    figure.colorbar(mesh, ax=list(axes), shrink=0.6, label="accuracy", pad=0.01)
    return figure
