"""The figures of question 4: each function takes the results of one model and returns one figure."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xlv.control.names import FOLLOWING, KINDS, REFUSING
from xlv.corpus.languages import labels
from xlv.report.style import CONDITION_COLOURS, FAINT, INK, MARKERS, heat_map, new_figure, panels
from xlv.report.tables import control as tables


def refusal_rates(dataset: xr.Dataset) -> Figure:
    """Refusal rates of harmful and harmless instructions by language, without control and in both directions."""
    table = tables.refusal_table(dataset)
    codes = [str(code) for code in dataset["target"].values]
    figure, axes = panels(len(KINDS), 0.42 * len(codes) + 0.85)
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
    figure, axes = panels(len(directions), 0.4 * dataset.sizes["window"] + 0.95)
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
