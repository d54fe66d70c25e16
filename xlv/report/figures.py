"""Every figure of the book: each function takes results by model and returns one figure."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xlv.control.names import FOLLOWING, KINDS, REFUSING
from xlv.corpus.languages import labels, language
from xlv.report import tables
from xlv.report.style import (
    BLUE,
    CONDITION_COLOURS,
    FAINT,
    GREEN,
    INK,
    MARKERS,
    ORANGE,
    PURPLE,
    columns,
    heat_map,
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


def refusal_rates(dataset: xr.Dataset) -> Figure:
    """Refusal rates of harmful and harmless instructions by language, without control and in both directions."""
    table = tables.refusal_table(dataset)
    codes = [str(code) for code in dataset["target"].values]
    figure, axes = columns(len(KINDS), 0.42 * len(codes) + 1.4)
    for panel, kind in zip(axes, KINDS, strict=True):
        for k, (condition, colour) in enumerate(CONDITION_COLOURS.items()):
            rows = table[(table["kind"] == kind) & (table["condition"] == condition)].set_index("target").loc[codes]
            places = np.arange(len(codes)) + (k - 1) * 0.22
            panel.hlines(places, rows["low"], rows["high"], color=colour, lw=1.4)
            panel.plot(rows["rate"], places, MARKERS[condition], color=colour, ms=5, label=condition)
        panel.set(title=f"{kind} instructions", xlabel="refusal rate (95 % interval)", xlim=(-0.02, 1.02))
    axes[0].set_yticks(range(len(codes)), labels(codes))
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def search_surface(dataset: xr.Dataset) -> Figure:
    """Mean refusal score of the source's harmful instructions over layers and dose, with the chosen setting framed."""
    directions = [str(d) for d in dataset["direction"].values]
    figure, axes = columns(len(directions), 0.4 * dataset.sizes["window"] + 1.5)
    shift = dataset["search_score"] - dataset.attrs["search_baseline"]
    limit = max(0.5, float(np.abs(shift).max()))
    for panel, direction in zip(axes, directions, strict=True):
        frame = shift.sel(direction=direction).to_pandas()
        frame.columns = [f"{dose:.1%}".replace("%", " %") for dose in frame.columns]
        mesh = heat_map(panel, frame, cmap="RdBu", low=-limit, high=limit, text="{:+.1f}", size=8)
        chosen = dataset.sel(direction=direction)
        row = list(dataset["window"].values).index(f"{int(chosen['first_layer'])}–{int(chosen['last_layer'])}")
        column = int(np.abs(dataset["dose"].values - float(chosen["chosen_dose"])).argmin())
        panel.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=INK, lw=2.2))
        panel.set(title=direction, xlabel="dose |s|·‖v‖ / mean residual norm")
    axes[0].set_ylabel("layers")
    figure.colorbar(mesh, ax=list(axes), shrink=0.9, label="shift of refusal score (nats)", pad=0.01)
    return figure


def score_shifts(dataset: xr.Dataset) -> Figure:
    """Shift of the refusal score by language: the concept vector in both directions, random vectors of equal dose."""
    table = tables.score_table(dataset)
    codes = [str(code) for code in dataset["target"].values]
    figure = new_figure(7.2, 0.36 * len(codes) + 1.5)
    axes = figure.subplots()
    places = np.arange(len(codes))
    noise = [name for name in table.index if str(name).startswith("random")]
    for k, name in enumerate(noise):
        axes.plot(
            table.loc[name, codes],
            places,
            ".",
            color=FAINT,
            ms=5,
            label="random vectors, equal dose" if k == 0 else None,
        )
    for direction in (REFUSING, FOLLOWING):
        axes.plot(
            table.loc[direction, codes],
            places,
            MARKERS[direction],
            color=CONDITION_COLOURS[direction],
            ms=6,
            label=direction,
        )
    axes.axvline(0, color=FAINT, lw=0.8)
    axes.set_yticks(places, labels(codes))
    axes.invert_yaxis()
    axes.set_xlabel("shift of the mean refusal score of harmful instructions (nats)")
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
