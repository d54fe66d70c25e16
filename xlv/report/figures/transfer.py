"""The figures of question 3: each function takes results by model and returns one figure."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xlv.corpus.languages import language
from xlv.questions.as_published import differences
from xlv.questions.common import competence, resource_order, value_concepts
from xlv.questions.transfer import tables
from xlv.report import drawing as draw
from xlv.report.drawing import BLUE, FAINT, GREEN, INK, ORANGE, PURPLE
from xlv.report.formats import say, signed
from xlv.results import Results

REACH = 0.1  # transferability up to which the colours reach at least
LOOK = {"cmap": "RdBu_r", "reach": REACH, "text": "{:+.2f}", "label": "transferability T", "diagonal": False}


def _triangle(panel: Axes, n: int) -> None:
    """Dashes around the cells from a higher- to a lower-resourced language."""
    stairs = [(k - 0.5, k - rise) for k in range(n - 1, 0, -1) for rise in (0.5, 1.5)]
    across, down = np.transpose([(0.5, -0.5), (n - 0.5, -0.5), (n - 0.5, n - 1.5), *stairs])
    panel.plot(across, down, ls=(0, (4, 2)), color=INK, lw=1.2, clip_on=False)


@draw.needs(2)
def transfer_map(datasets: Results, protocol: str = "cv") -> Figure:
    """Transferability, sources down and targets across in resource order; the dashed triangle is high to low.

    Below each title the mean of T inside the triangle and outside, and how many of its cells are positive.
    """
    figure, axes = draw.matrices(datasets, lambda ds: tables.transfer_matrix(ds, protocol), **LOOK)
    rows = tables.triangle_table(datasets, protocol).to_dict("records")
    for panel, row, dataset in zip(axes, rows, datasets.values(), strict=True):
        _triangle(panel, dataset.sizes["target"])
        words = [panel.get_title(), *(str(say("transfer", phrase, **row)) for phrase in ("map", "map_share"))]
        panel.set_title("\n".join(words), fontsize=8, linespacing=1.3)
        panel.set_xlabel("target")
    axes[0].set_ylabel("source")
    orders = dict.fromkeys(resource_order(dataset)[1].split(" (")[0] for dataset in datasets.values())
    figure.supxlabel(f"languages by falling {' or '.join(orders)}", fontsize=8)
    return figure


@draw.needs(2)
def as_published(datasets: Results) -> Figure:
    """Transferability as the paper measures and orders it, sources down and targets across (its Figure 4)."""
    return draw.matrices(datasets, differences, **LOOK)[0]


@draw.needs(2)
def transfer_by_concept(datasets: Results, protocol: str = "cv") -> Figure:
    """Transferability of each value concept, models side by side on one scale, each in its resource order."""
    names, some = value_concepts(next(iter(datasets.values()))), datasets.values()
    found = [pd.concat({name: tables.transfer_matrix(ds, protocol, name) for name in names}) for ds in some]
    limit = max(REACH, *(float(table.abs().max(axis=None)) for table in found))
    figure = draw.new_figure(8.6, 1.9 * len(names) + 0.8)
    figure.numbers = draw.csv_of(datasets, found)
    axes = figure.subplots(len(names), len(found), sharex="col", squeeze=False)
    for column, table, title in zip(axes.T, found, draw.titles_of(datasets), strict=True):
        for panel, name in zip(column, names, strict=True):
            mesh = draw.heat_map(panel, table.loc[name], cmap="RdBu_r", low=-limit, high=limit, text="")
            _triangle(panel, len(table.loc[name]))
            panel.tick_params(labelsize=6)
            panel.tick_params(axis="x", rotation=90)
        column[0].set_title(title, fontsize=9)
    for panel, name in zip(axes[:, 0], names, strict=True):
        panel.set_ylabel(name, fontsize=9)
    look = {"location": "bottom", "shrink": 0.5, "aspect": 40, "pad": 0.01, "label": "transferability T"}
    figure.colorbar(mesh, ax=list(axes.ravel()), **look)
    return figure


@draw.needs(3)
def additive_effects(datasets: Results, protocol: str = "cv") -> Figure:
    """How well each language teaches (source effect) and is read (target effect), in resource order, 95 % intervals.

    The lines rise by the two gradients; U_A leans to one side only as far as one of them is steeper."""
    look = {"share": False, "ylabel": "effect on accuracy"}
    figure, rows = draw.model_panels(datasets, lambda ds: tables.additive_table(ds, protocol), 2.3, **look)
    reach = 1.05 * max(float(table.abs().max(axis=None)) for _, table, _ in rows)
    for panel, table, dataset in rows:
        table, places, said = table[::-1], np.arange(len(table)), []
        for name, colour, by in (("source", BLUE, -0.12), ("target", ORANGE, 0.12)):
            rise = table.attrs[f"{name} gradient"]
            panel.vlines(places + by, table[f"{name}_low"], table[f"{name}_high"], color=colour, lw=1.4)
            panel.plot(places + by, table[name], "o", color=colour, ms=4, label=f"as {name}")
            panel.plot(places, rise * np.linspace(-0.5, 0.5, len(table)), color=colour, lw=1, alpha=0.7)
            said.append(f"{name}s {signed(rise, 2)}")
        said.append(f"U_A {signed(table.attrs['U_A'], 2)}")
        panel.text(0.03, 0.97, "\n".join(said), transform=panel.transAxes, va="top", fontsize=7.5, color=INK)
        panel.set_xticks(places, table.index, fontsize=6.5)
        panel.set_xlabel(f"rising {resource_order(dataset)[1].split(' (')[0]}")
        panel.set_ylim(-reach, reach)
        panel.axhline(0, color=FAINT, lw=0.8)
    return draw.legend_below(figure)


@draw.needs(3)
def gradients(datasets: Results) -> Figure:
    """Source gradient by concept under the model's own resource order and under published ones, 95 % intervals."""
    look = {"each": 0.36, "at": 0, "xlabel": "source gradient"}
    figure, rows = draw.model_panels(datasets, tables.order_table, 0.5, **look)
    for panel, table, _ in rows:
        names = [name for name in table if f"{name}_low" in table]
        for name, by, colour, marker in zip(
            names, (-0.27, -0.09, 0.09, 0.27), (BLUE, INK, GREEN, PURPLE), "oDs^", strict=True
        ):
            draw.dots(panel, table, name, by=by, color=colour, marker=marker, ms=4, label=name)
    draw.name_rows(rows[0][0], rows[0][1].index)
    return draw.legend_below(figure, columns=2)


def competence_order(datasets: Results) -> Figure:
    """Nats of neutral parallel sentences relative to English, 95 % intervals: the measured resource order."""
    english = all("en" in dataset["source"].values for dataset in datasets.values())
    label = say("few", "english" if english else "no_english")
    figure, panel, rows = draw.one_panel(datasets, competence, 2.9, width=7.2, ylabel=label)
    for k, (table, colour, title) in enumerate(rows):
        places = np.arange(len(table)) + 0.16 * (k - (len(rows) - 1) / 2)
        panel.vlines(places, table["low"], table["high"], color=colour, lw=1.2)
        panel.plot(places, table["nats"], marker="os^D"[k % 4], lw=0, ms=4, color=colour, label=title)
        if table["nats"].isna().all():
            panel.set_title("not measured: there are no neutral sentences in all of these languages", fontsize=9)
    panel.axhline(1, color=FAINT, lw=0.8)
    panel.set_xticks(range(len(table)), [language(str(code)).name for code in table.index], rotation=60, ha="right")
    return draw.legend_below(figure, columns=2)
