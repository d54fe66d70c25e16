"""The figures of question 4: each function takes results by model and returns one figure, a row per model."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xlv.corpus.languages import labels, language
from xlv.questions.control import rates, scores
from xlv.report import drawing as draw
from xlv.report.drawing import CONDITION_COLOURS, FAINT, GAP, INK, MARKERS, MODEL_COLOURS, PURPLE, Table
from xlv.results import Results
from xlv.schema import ADDITION, DIRECTIONS, KINDS, OWN, RANDOM

HIGHLIGHTED = dict(zip(("en", "fr", "zh", "ja", "sw"), (INK, *MODEL_COLOURS), strict=True))


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
        rows = table[table["condition"] == condition].set_index("target").loc[codes]
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


def search_surface(datasets: Results) -> Figure:
    """Mean refusal score of the source's harmful instructions over layers and dose, with the chosen setting framed."""
    label = "dose |s|·‖v‖ / mean residual norm"
    figure, found = _rows(datasets, scores.surface_table, label, 0.4, 1.1, of="window")
    for row, dataset, table, title in found:
        limit, search = max(0.5, float(table["shift"].abs().max())), scores.of_source(dataset)
        for panel, direction in zip(row, DIRECTIONS, strict=True):
            part, chosen = table[table["towards"] == direction], search.sel(towards=direction)
            frame = part.pivot(index="window", columns="dose", values="shift").loc[part["window"].unique()]
            frame.columns = [f"{dose:.1%}".replace("%", " %") for dose in frame.columns]
            mesh = draw.heat_map(panel, frame, cmap="RdBu", low=-limit, high=limit, text="{:+.1f}", size=8)
            line = list(frame.index).index(f"{int(chosen['first_layer'])}–{int(chosen['last_layer'])}")
            column = int(np.abs(search["dose"].values - float(chosen["chosen_dose"])).argmin())
            panel.add_patch(Rectangle((column - 0.5, line - 0.5), 1, 1, fill=False, ec=INK, lw=2.2))
            panel.set(title=f"{title}\n{direction}")
        row[0].set_ylabel("layers")
        figure.colorbar(mesh, ax=list(row), shrink=0.9, label="shift of score (nats)", pad=0.01)
    return figure


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


def dose_response(datasets: Results) -> Figure:
    """Shift of the refusal score by dose in both directions, a line per language, harmful and harmless instructions."""
    figure, found = _rows(datasets, scores.response_table, "dose (%), towards refusing →", 0, 2.5)
    for row, _, table, title in found:
        for panel, kind in zip(row, KINDS, strict=True):
            for code, line in table[table["kind"] == kind].groupby("target", sort=False):
                known = code in HIGHLIGHTED
                look = {"color": HIGHLIGHTED.get(code, "#bbbbbb"), "lw": 1.6 if known else 0.8}
                panel.plot(100 * line["dose"], line["shift"], label=language(code).name if known else None, **look)
            panel.axhline(0, color=FAINT, lw=0.8)
            panel.axvline(0, color=FAINT, lw=0.8)
            panel.set_title(f"{title}\n{kind} instructions")
        row[0].set_ylabel("shift of score (nats)")
    return draw.legend_below(figure, columns=5)


def selectivity(datasets: Results) -> Figure:
    """Refusal of harmful instructions against over-refusal of harmless ones, a point per language and condition."""
    if not (shown := _completed(datasets)):
        return draw.nothing("control")
    look = {"xlabel": "over-refusal (harmless)", "ylabel": "refusal rate (harmful)", "per_row": 2}
    figure, found = draw.model_panels(shown, rates.selectivity_table, 4.1, width=8.6 if len(shown) > 1 else 5.2, **look)
    for panel, table, _ in found:
        table = table[table["condition"].isin(list(CONDITION_COLOURS))]
        panel.plot([0, 1], [0, 1], color=FAINT, lw=0.8, ls="--")
        for condition, colour in CONDITION_COLOURS.items():
            rows = table[table["condition"] == condition]
            panel.plot(rows["over_refusal"], rows["refusal"], MARKERS[condition], color=colour, ms=5, label=condition)
        for _, row in table[_apart(table[["over_refusal", "refusal"]].to_numpy())].iterrows():
            look = {"textcoords": "offset points", "fontsize": 7, "color": CONDITION_COLOURS[row["condition"]]}
            panel.annotate(row["target"], (row["over_refusal"], row["refusal"]), xytext=(3, 2), **look)
        panel.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    return draw.legend_below(figure)


def _apart(points: np.ndarray, width: float = 0.045, height: float = 0.035) -> np.ndarray:
    """Marks of the points `[point, axis]` with room for a name: no other is as near as a name is wide and high."""
    near = (np.abs(points[:, None] - points[None]) < (width, height)).all(axis=-1)
    return near.sum(axis=1) == 1


def score_auroc(datasets: Results) -> Figure:
    """AUROC of the refusal score, harmful against harmless instructions, by language in the three main conditions."""
    label = "AUROC of the refusal score (95 % interval)"
    figure, found = _rows(datasets, scores.auroc_table, label, 0.34, 0.8, columns=1, width=7.2)
    for (panel,), dataset, table, title in found:
        _by_language(panel, table, "auroc", dataset["target"].values)
        panel.axvline(0.5, color=FAINT, lw=0.8)
        draw.name_rows(panel, labels(dataset["target"].values))
        panel.set(title=title, xlim=(0.2, 1.01))
    return draw.legend_below(figure)


def source_target_map(datasets: Results) -> Figure:
    """Shift of the refusal score of harmful instructions, sources down, targets across; a row per direction."""
    size = {"of": "searched", "columns": 1, "rows": 2, "width": 8.2}
    figure, found = _rows(datasets, scores.sources_table, "target", 0.4, 0.7, **size)
    for pair, _, table, title in found:
        limit = max(0.5, float(np.nanmax(table.abs())))
        for panel, direction in zip(pair, DIRECTIONS, strict=True):
            frame = table.loc[direction].set_axis(labels(table.loc[direction].index))
            mesh = draw.heat_map(panel, frame, cmap="RdBu", low=-limit, high=limit, text="{:+.1f}", size=8)
            panel.set_title(f"{title}, {direction}")
        figure.colorbar(mesh, ax=list(pair), shrink=0.9, label="shift (nats)", pad=0.01)
    return figure
