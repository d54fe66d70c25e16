"""The figures of question 3: each function takes results by model and returns one figure."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xlv.corpus.languages import labels, language
from xlv.questions.common import competence, value_concepts
from xlv.questions.transfer import tables as tables
from xlv.report.style import (
    BLUE,
    FAINT,
    INK,
    MODEL_COLOURS,
    ORANGE,
    heat_map,
    legend_below,
    matrices,
    new_figure,
    panels,
    titles_of,
)


def _triangle(panel: Axes, n: int) -> None:
    """Dashes around the cells from a higher- to a lower-resourced language."""
    stairs = [(k - 0.5, k - rise) for k in range(n - 1, 0, -1) for rise in (0.5, 1.5)]
    across, down = np.transpose([(0.5, -0.5), (n - 0.5, -0.5), (n - 0.5, n - 1.5), *stairs])
    panel.plot(across, down, ls=(0, (4, 2)), color=INK, lw=1.2, clip_on=False)


def transfer_map(datasets: dict[str, xr.Dataset], protocol: str = "cv", concept: str | None = None) -> Figure:
    """Transferability, sources down and targets across in resource order; the dashed triangle is high to low."""
    frames = [tables.transfer_matrix(dataset, protocol, concept) for dataset in datasets.values()]
    limit = max(0.1, max(float(np.abs(frame.to_numpy()).max()) for frame in frames))
    look = {"cmap": "RdBu_r", "low": -limit, "high": limit, "text": "{:+.2f}", "label": "transferability T"}
    figure, axes = matrices(frames, titles_of(datasets), diagonal=False, **look)
    for panel, frame in zip(axes, frames, strict=True):
        _triangle(panel, len(frame))
        panel.set(xlabel="target (most to least resourced)", ylabel="source")
    return figure


def transfer_by_concept(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> Figure:
    """Transferability of each value concept, models side by side on one scale, each in its resource order."""
    names = value_concepts(next(iter(datasets.values())))
    frames = [[tables.transfer_matrix(d, protocol, name) for d in datasets.values()] for name in names]
    limit = max(0.1, max(float(np.abs(frame.to_numpy()).max()) for row in frames for frame in row))
    figure = new_figure(8.6, 1.9 * len(names) + 0.8)
    axes = figure.subplots(len(names), len(datasets), sharex="col", squeeze=False)
    for panels_, row, name in zip(axes, frames, names, strict=True):
        for panel, frame in zip(panels_, row, strict=True):
            mesh = heat_map(panel, frame, cmap="RdBu_r", low=-limit, high=limit, text="")
            _triangle(panel, len(frame))
            panel.tick_params(labelsize=6)
            panel.tick_params(axis="x", rotation=90)
        panels_[0].set_ylabel(name, fontsize=9)
    for panel, title in zip(axes[0], titles_of(datasets), strict=True):
        panel.set_title(title, fontsize=9)
    figure.colorbar(
        mesh, ax=list(axes.ravel()), location="bottom", shrink=0.5, aspect=40, pad=0.01, label="transferability T"
    )
    return figure


def one_way_transfer(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> Figure:
    """U and its two parts with 95 % intervals, over all languages and without the dominant ones."""
    found = [tables.one_way_variants(dataset, protocol) for dataset in datasets.values()]
    figure, axes = panels(2, 0.55 * len(datasets) + 0.8, xlabel="difference in accuracy (95 % interval)")
    parts = (
        ("U", "U: one-way transfer", INK),
        ("U_A", "U_A: between languages", BLUE),
        ("U_D", "U_D: own accuracies", ORANGE),
    )
    for panel, label in zip(axes, ("all languages", "without dominant languages"), strict=True):
        for k, (name, words, colour) in enumerate(parts):
            rows = [(m, table.loc[label]) for m, table in enumerate(found) if label in table.index]
            places = np.array([m for m, _ in rows]) + (k - 1) * 0.22
            lows, highs = ([row[f"{name}_{end}"] for _, row in rows] for end in ("low", "high"))
            panel.hlines(places, lows, highs, color=colour, lw=1.8)
            panel.plot([row[name] for _, row in rows], places, "o", color=colour, ms=5, label=words)
        panel.axvline(0, color=FAINT, lw=0.8)
        panel.set(title=label)
    axes[0].set_yticks(range(len(found)), titles_of(datasets))
    axes[0].invert_yaxis()
    legend_below(figure)
    return figure


def additive_effects(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> Figure:
    """How well each language teaches (source effect) and is read (target effect), in resource order, 95 % intervals."""
    found = [tables.additive_table(dataset, protocol) for dataset in datasets.values()]
    effects = np.concatenate([table.to_numpy().ravel() for table in found])
    reach = 1.05 * np.nanmax(np.abs(effects)) if np.isfinite(effects).any() else 1.0
    figure, axes = panels(len(found), 0.25 * len(found[0]) + 0.8, share=False, xlabel="effect on accuracy")
    for panel, table, title in zip(axes, found, titles_of(datasets), strict=True):
        places = np.arange(len(table))
        for k, (name, colour, words) in enumerate((("source", BLUE, "as source"), ("target", ORANGE, "as target"))):
            panel.hlines(places + (k - 0.5) * 0.3, table[f"{name}_low"], table[f"{name}_high"], color=colour, lw=1.5)
            panel.plot(table[name], places + (k - 0.5) * 0.3, "o", color=colour, ms=4, label=words)
        panel.axvline(0, color=FAINT, lw=0.8)
        panel.set_yticks(places, labels(table.index), fontsize=7)
        panel.invert_yaxis()
        explained = f"{100 * table.attrs['explained']:.0f} % of variance explained"
        panel.set(title=f"{title}\n{explained}", xlim=(-reach, reach))
    legend_below(figure)
    return figure


def competence_order(datasets: dict[str, xr.Dataset]) -> Figure:
    """Nats of neutral parallel sentences relative to English, 95 % intervals: the measured resource order."""
    figure, (axes,) = panels(1, 2.9, width=7.2)
    for k, (dataset, title) in enumerate(zip(datasets.values(), titles_of(datasets), strict=True)):
        table, colour = competence(dataset), MODEL_COLOURS[k % 4]
        places = np.arange(len(table)) + 0.16 * (k - (len(datasets) - 1) / 2)
        axes.vlines(places, table["low"], table["high"], color=colour, lw=1.2)
        axes.plot(places, table["nats"], marker="os^D"[k % 4], lw=0, ms=4, color=colour, label=title)
        if table["nats"].isna().all():
            axes.set_title("not measured: there are no neutral sentences in all of these languages", fontsize=9)
    axes.axhline(1, color=FAINT, lw=0.8)
    axes.set_xticks(range(len(table)), [language(str(code)).name for code in table.index], rotation=60, ha="right")
    axes.set_ylabel("nats relative to English")
    legend_below(figure, columns=2)
    return figure
