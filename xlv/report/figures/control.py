"""The figures of question 4: each function takes results by model and returns one figure, a row per model."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xlv.corpus.languages import labels
from xlv.questions.control import rates, scores
from xlv.questions.control.gated import BLIND, CARRIED, RESET, generated_targets, is_gated, knowing_table
from xlv.report import drawing as draw
from xlv.report.drawing import BLUE, CONDITION_COLOURS, FAINT, GAP, GREEN, INK, MARKERS, PURPLE, Table
from xlv.results import Results
from xlv.schema import ADDITION, BASELINE, KINDS, OWN, RANDOM, REFUSING, SYSTEM

READERS = {"state": (BLUE, "D"), "refusal score": (INK, "o")}
SELECTIVE = {  # colour and marker of the conditions whose selectivity is compared
    BASELINE: (INK, "o"),
    REFUSING: (CONDITION_COLOURS[REFUSING], MARKERS[REFUSING]),
    CARRIED: (GREEN, "D"),
    RESET: (GREEN, "s"),
    BLIND: (FAINT, "x"),
    f"{SYSTEM} ({REFUSING})": (PURPLE, "*"),
}


def _completed(datasets: Results) -> Results:
    return {model: dataset for model, dataset in datasets.items() if rates.is_generated(dataset)}


def _rows(
    datasets: Results, table: Table, label: str, each: float, more: float, *, of="target", columns=2, rows=1, width=8.6
) -> tuple[Figure, list[tuple[np.ndarray, xr.Dataset, pd.DataFrame, str]]]:
    """A figure with `rows` of axes per model, labelled below, and with these axes its results, table and title; rows
    are `each` inches high per target, or what else they are `of`, and `more`."""
    if not datasets:
        return draw.nothing("control"), []
    heights = [each * dataset.sizes[of] + more for dataset in datasets.values() for _ in range(rows)]
    found = [table(dataset) for dataset in datasets.values()]
    figure = draw.new_figure(width, sum(heights) + 0.4, gap=GAP)
    figure.numbers = draw.csv_of(datasets, found)
    axes = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights, sharey="row")
    for panel in axes[-1]:
        panel.set_xlabel(label)
    per_model = axes.reshape(len(datasets), -1)
    return figure, list(zip(per_model, datasets.values(), found, draw.titles_of(datasets), strict=True))


def _by_language(panel: Axes, table: pd.DataFrame, value: str, codes: np.ndarray) -> None:
    """Dots with intervals of the three main conditions, a line per language."""
    for k, (condition, colour) in enumerate(CONDITION_COLOURS.items()):
        rows = table[table["condition"] == condition].set_index("target").reindex(codes)
        look = {"color": colour, "marker": MARKERS[condition], "label": condition, "ms": 4.5}
        draw.dots(panel, rows, value, by=(k - 1) * 0.22, **look)


def refusal_rates(datasets: Results) -> Figure:
    """Refusal rates of harmful and harmless instructions by language, without control and in both directions."""
    figure, found = _rows(_completed(datasets), rates.refusal_table, "refusal rate (95 % interval)", 0.36, 0.9)
    for row, dataset, table, title in found:
        for panel, kind in zip(row, KINDS, strict=True):
            _by_language(panel, table[table["kind"] == kind], "rate", dataset["target"].values)
            panel.set(title=f"{title}\n{kind} instructions", xlim=(-0.02, 1.02))
        draw.name_rows(row[0], labels(dataset["target"].values))
    return draw.legend_below(figure)


def score_shifts(datasets: Results) -> Figure:
    """Shift of the refusal score by language: the source's vector in both directions beside what it is held against."""
    label = "shift of the mean refusal score of harmful instructions (nats)"
    figure, found = _rows(datasets, scores.score_table, label, 0.34, 0.8, columns=1, width=7.6)
    for (panel,), dataset, table, title in found:
        codes, concept = dataset["target"].values, dataset.attrs["concept"]
        others = [name for name in np.unique(dataset["concept"]) if name not in ("", concept)]
        other = scores.select(dataset, method=ADDITION, concept=others)
        acts = [
            ("random vectors", scores.select(dataset, method=RANDOM), ".", 4, FAINT, False),
            ("another concept's vector", other, "x", 5, PURPLE, False),
        ]
        for direction, colour in list(CONDITION_COLOURS.items())[1:]:
            own, marker = scores.select(dataset, direction=direction, source=OWN), MARKERS[direction]
            acts.append((direction, [direction], marker, 6, colour, False))
            acts.append((f"own vector {direction}", own, marker, 6, colour, True))
        for label, names, marker, size, colour, hollow in acts:
            places = np.tile(np.arange(len(codes)) + 0.25 * hollow, len(names))
            look = {"color": colour, "ms": size, "mfc": "none" if hollow else colour, "label": label if names else None}
            panel.plot(table.loc[names, codes].to_numpy().ravel(), places, marker, **look)
        panel.axvline(0, color=FAINT, lw=0.8)
        draw.name_rows(panel, labels(codes))
        panel.set_title(title)
    return draw.legend_below(figure)


def knowing(datasets: Results) -> Figure:
    """How well harm is read from states, and how well refusal scores respond to it: AUROC by language, two readers."""
    gated = {model: dataset for model, dataset in datasets.items() if is_gated(dataset)}
    label = "AUROC, harmful against harmless instructions (95 % interval)"
    figure, found = _rows(gated, knowing_table, label, 0.34, 0.8, columns=1, width=7.2)
    for (panel,), dataset, table, title in found:
        for step, (reader, (colour, marker)) in enumerate(READERS.items()):
            rows = table[table["reader"] == reader].set_index("target").loc[dataset["target"].values]
            draw.dots(panel, rows, "auroc", by=0.2 * step - 0.1, color=colour, marker=marker, label=reader, ms=4.5)
        panel.axvline(0.5, color=FAINT, lw=0.8)
        draw.name_rows(panel, labels(dataset["target"].values))
        panel.set(title=title, xlim=(0.2, 1.01))
    return draw.legend_below(figure)


def selectivity(datasets: Results) -> Figure:
    """Selectivity by language: without control, steered, behind gates and under a system prompt, where generated."""
    label = "selectivity: refusals of harmful minus of harmless instructions (95 % interval)"
    shown = {model: dataset.sel(target=generated_targets(dataset)) for model, dataset in datasets.items()}
    figure, found = _rows(_completed(shown), rates.selectivity_table, label, 0.55, 0.8, columns=1, width=7.6)
    for (panel,), dataset, table, title in found:
        codes = dataset["target"].values
        for step, (condition, (colour, marker)) in enumerate(SELECTIVE.items()):
            rows = table[table["condition"] == condition].set_index("target").reindex(codes)
            look = {"color": colour, "marker": marker, "label": condition, "ms": 4.5}
            draw.dots(panel, rows, "selectivity", by=0.13 * (step - 2.5), **look)
        panel.axvline(0, color=FAINT, lw=0.8)
        draw.name_rows(panel, labels(codes))
        panel.set_title(title)
    return draw.legend_below(figure)
