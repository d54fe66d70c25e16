"""Every figure of the book: each function takes results by model and returns one figure."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from xlv.corpus.languages import labels, language
from xlv.report import tables
from xlv.report.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    columns,
    matrices,
    new_figure,
    titles_of,
)


def accuracy_by_language(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> Figure:
    """Own-language accuracy, mean over value concepts, with 95 % intervals, beside chance and the surface baseline."""
    codes = [str(code) for code in next(iter(datasets.values()))["source"].values]
    figure, axes = columns(len(datasets), 0.27 * len(codes) + 1.3)
    places = np.arange(len(codes))
    for panel, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        table = tables.own_accuracy(dataset, protocol).loc[codes]
        panel.axvline(0.5, color=FAINT, lw=0.8)
        panel.hlines(places, table["low"], table["high"], color=BLUE, lw=1.6)
        panel.plot(table["accuracy"], places, "o", color=BLUE, ms=5, label="concept vector (95 % interval)")
        panel.plot(table["surface"], places, "x", color=ORANGE, ms=5, label="surface words or characters")
        panel.plot(table["shuffled"], places, "|", color=FAINT, ms=8, label="shuffled labels, 97.5 % quantile")
        panel.set(title=title, xlabel="recognition accuracy", xlim=(0.38, 1.0))
    axes[0].set_yticks(places, labels(codes))
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
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
    """Held-out accuracy at every layer, mean over languages, a line a concept."""
    figure, axes = columns(len(datasets), 3.0)
    for panel, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        frame = tables.layer_accuracy(dataset, protocol)
        depth = frame.columns.to_numpy() / frame.columns.max()
        colours = mpl.colormaps["tab10"].colors
        for k, (concept, row) in enumerate(frame.iterrows()):
            dashed = concept not in tables.value_concepts(dataset)
            panel.plot(depth, row, color=colours[k % 10], lw=1.3, ls="--" if dashed else "-", label=concept)
        panel.axhline(0.5, color=FAINT, lw=0.8)
        panel.set(title=title, xlabel="relative depth (layer / L)")
    axes[0].set_ylabel("accuracy, mean over languages")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=7.5)
    return figure


def consistency_map(datasets: dict[str, xr.Dataset], *, plain: bool = False) -> Figure:
    """Cosines between the languages' vectors, mean over value concepts, one matrix a model."""
    frames = [tables.consistency_matrix(dataset, plain=plain) for dataset in datasets.values()]
    label = "cosine (largest over layers)" if plain else "corrected cosine of half vectors"
    figure, _ = matrices(frames, titles_of(datasets), cmap="PuOr_r", low=-1.0, high=1.0, text="{:.2f}", label=label)
    return figure


def linguistic_correlation(datasets: dict[str, xr.Dataset]) -> Figure:
    """Direct and split correlation of consistency with linguistic similarity, beside what permuted labels give."""
    figure, axes = columns(len(datasets), 2.6)
    for panel, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        table = tables.linguistic_table(dataset)
        places = np.arange(len(table))
        panel.hlines(
            places, table["chance_low"], table["chance_high"], color="#cccccc", lw=7, label="permuted languages, 95 %"
        )
        panel.plot(table["direct"], places, "o", color=BLUE, ms=6, label="direct")
        panel.plot(table["split"], places, "D", color=ORANGE, ms=5, label="split by dominant language")
        panel.axvline(0, color=FAINT, lw=0.8)
        panel.set(title=title, xlabel="Pearson correlation", xlim=(-1, 1))
    axes[0].set_yticks(places, table.index)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def transfer_map(datasets: dict[str, xr.Dataset], protocol: str = "cv", concept: str | None = None) -> Figure:
    """Transferability, sources down and targets across in resource order; the dashed triangle is high to low."""
    frames = [tables.transfer_matrix(dataset, protocol, concept) for dataset in datasets.values()]
    limit = max(0.1, max(float(np.abs(frame.to_numpy()).max()) for frame in frames))
    figure, axes = matrices(
        frames, titles_of(datasets), cmap="RdBu_r", low=-limit, high=limit, text="{:+.2f}", label="transferability T"
    )
    for panel, frame in zip(axes, frames, strict=True):
        edge = len(frame) - 0.5
        stairs = [(k - 0.5, k - rise) for k in range(len(frame) - 1, 0, -1) for rise in (0.5, 1.5)]
        across, down = np.transpose([(0.5, -0.5), (edge, -0.5), (edge, edge - 1), *stairs])
        panel.plot(across, down, ls=(0, (4, 2)), color=INK, lw=1.5, clip_on=False)
        panel.set(xlabel="target (most to least resourced)", ylabel="source")
    return figure


def one_way_transfer(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> Figure:
    """U and its two parts with 95 % intervals: positive when transfer runs from high to low resource."""
    table = tables.transfer_summary(datasets, protocol)
    figure = new_figure(7.2, 0.75 * len(table) + 1.2)
    axes = figure.subplots()
    parts = (
        ("U", "U: one-way transfer", INK),
        ("U_A", "part U_A: crossing accuracies", BLUE),
        ("U_D", "part U_D: own accuracies", ORANGE),
    )
    for k, (name, label, colour) in enumerate(parts):
        places = np.arange(len(table)) + (k - 1) * 0.22
        axes.hlines(places, table[f"{name}_low"], table[f"{name}_high"], color=colour, lw=1.8)
        axes.plot(table[name], places, "o", color=colour, ms=5, label=label)
    axes.axvline(0, color=FAINT, lw=0.8)
    axes.set_yticks(range(len(table)), table.index)
    axes.invert_yaxis()
    axes.set_xlabel("difference in accuracy, high to low resource minus low to high (95 % interval over pairs)")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


def competence_order(datasets: dict[str, xr.Dataset]) -> Figure:
    """Nats of neutral parallel sentences relative to English: the measured resource order of each model."""
    figure = new_figure(7.2, 3.2)
    axes = figure.subplots()
    for k, dataset in enumerate(datasets.values()):
        series = tables.competence(dataset)
        axes.plot(
            range(len(series)),
            series,
            marker="os^D"[k % 4],
            lw=0,
            ms=5,
            color=(BLUE, ORANGE, GREEN, PURPLE)[k % 4],
            label=dataset.attrs["title"],
        )
    axes.axhline(1, color=FAINT, lw=0.8)
    axes.set_xticks(range(len(series)), [language(str(code)).name for code in series.index], rotation=60, ha="right")
    axes.set_ylabel("nats relative to English")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure
