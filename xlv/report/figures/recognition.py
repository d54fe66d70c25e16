"""The figures of question 1: each function takes results by model and returns one figure."""

from itertools import cycle

import matplotlib as mpl
from matplotlib.figure import Figure

from xlv.corpus.languages import labels
from xlv.questions.common import value_concepts
from xlv.questions.recognition import tables
from xlv.report import drawing as draw
from xlv.report.drawing import BLUE, FAINT, INK, ORANGE
from xlv.report.formats import PHRASES
from xlv.results import Results

CHANCE = 0.5
READOUTS = PHRASES["readouts"]


def accuracy_by_language(datasets: Results, protocol: str = "cv") -> Figure:
    """Own-language accuracy, mean over value concepts, with 95 % intervals, beside chance and the surface baseline."""
    codes = [str(code) for code in next(iter(datasets.values()))["source"].values]
    look = {"each": 0.25, "at": CHANCE, "xlabel": "recognition accuracy"}
    figure, rows = draw.model_panels(datasets, lambda ds: tables.own_accuracy(ds, protocol).loc[codes], 0.6, **look)
    left = min(0.40, *(float(table["low"].min()) for _, table, _ in rows)) - 0.02
    for panel, table, _ in rows:
        draw.dots(panel, table, "accuracy", label="concept vector (95 % interval)")
        nothing, places = table[["shuffled", "random"]].max(axis=1), range(len(codes))
        panel.plot(table["surface"], places, "x", color=ORANGE, ms=5, label="surface words or characters")
        panel.plot(nothing, places, "|", color=FAINT, ms=8, label="shuffled labels or random directions, 97.5 %")
        panel.set_xlim(left, 1.0)
    draw.name_rows(rows[0][0], labels(codes))
    return draw.legend_below(figure)


def baselines(datasets: Results) -> Figure:
    """Mean accuracy over values and languages of the concept vectors and of everything they must beat."""
    look = {"each": 0.27, "at": CHANCE, "xlabel": "accuracy (95 % interval)"}
    figure, rows = draw.model_panels(datasets, tables.baseline_table, 0.6, **look)
    names = max((table.index for _, table, _ in rows), key=len)
    for panel, table, _ in rows:
        draw.dots(panel, table.reindex(names), color=INK)
        panel.plot(table["value"].iloc[0], 0, "o", color=BLUE, ms=7)
    draw.name_rows(rows[0][0], names)
    return figure


def accuracy_by_concept(datasets: Results, protocol: str = "cv") -> Figure:
    """Own-language accuracy of every concept in every language, one matrix per model."""
    look = {"cmap": "viridis", "low": 0.4, "high": 1.0, "label": "recognition accuracy"}
    figure, axes = draw.matrices(datasets, lambda ds: tables.concept_accuracy(ds, protocol).T, **look)
    for panel in axes:
        panel.tick_params(axis="x", rotation=20)
    return figure


def accuracy_by_layer(datasets: Results, protocol: str = "cv") -> Figure:
    """Held-out accuracy at every layer, mean over languages: a line a concept, the mean over values with its band."""
    look = {"xlabel": "relative depth (layer / L)", "ylabel": "accuracy, mean over languages"}
    figure, rows = draw.model_panels(datasets, lambda ds: tables.layer_accuracy(ds, protocol), 2.4, **look)
    for panel, table, dataset in rows:
        mean, depth = tables.layer_mean(dataset, protocol), table.columns.to_numpy() / table.columns.max()
        for (concept, row), colour in zip(table.iterrows(), cycle(mpl.colormaps["tab10"].colors), strict=False):
            style = "-" if concept in value_concepts(dataset) else "--"
            panel.plot(depth, row, color=colour, lw=1.1, ls=style, label=concept)
        panel.fill_between(depth, mean["low"], mean["high"], color=INK, alpha=0.15, lw=0)
        panel.plot(depth, mean["accuracy"], color=INK, lw=2, label="mean of values (95 % band)")
        panel.axhline(CHANCE, color=FAINT, lw=0.8)
    return draw.legend_below(figure, columns=5)


def _own_and_other(datasets: Results, table: draw.Table, xlabel: str) -> Figure:
    """Dots of a table indexed by (kind, own or other vector), a panel per model."""
    figure, rows = draw.model_panels(datasets, table, 0.6, each=0.21, at=CHANCE, xlabel=xlabel)
    kinds = list(dict.fromkeys(rows[0][1].index.get_level_values(0)))
    for panel, found, _ in rows:
        for by, reader, colour, marker in ((-0.125, "own", BLUE, "o"), (0.125, "other", ORANGE, "D")):
            shown = found.xs(reader, level=1).loc[kinds]
            draw.dots(panel, shown, by=by, color=colour, marker=marker, label=f"{reader} language's vector")
    draw.name_rows(rows[0][0], [READOUTS.get(kind, kind) for kind in kinds])
    return draw.legend_below(figure)


def readouts(datasets: Results) -> Figure:
    """Pairs in the right order, AUROC of single texts, and accuracy at carried and at centred thresholds."""
    return _own_and_other(datasets, tables.readout_table, "share right (95 % interval)")


def estimators(datasets: Results) -> Figure:
    """Accuracy of other estimators' directions at the same layers and folds, read by own and other languages."""
    return _own_and_other(datasets, tables.estimator_table, "accuracy (95 % interval)")


def learning_curve(datasets: Results) -> Figure:
    """Accuracy of own vectors by number of training pairs, mean over values and languages, with 95 % bands."""
    figure, panel, rows = draw.one_panel(datasets, tables.learning_table, 2.8, width=6.0)
    for table, colour, title in rows:
        panel.fill_between(table.index, table["low"], table["high"], color=colour, alpha=0.15, lw=0)
        panel.plot(table.index, table["accuracy"], "o-", color=colour, ms=4, lw=1.5, label=title)
    panel.axhline(CHANCE, color=FAINT, lw=0.8)
    panel.set(xscale="log", xlabel="training pairs", ylabel="accuracy")
    panel.set_xticks(table.index, table.index)
    panel.minorticks_off()
    return draw.legend_below(figure, columns=2)


def across_concepts(datasets: Results) -> Figure:
    """Accuracy of each concept's vectors (down) on the pairs of every other (across), one matrix per model."""
    look = {"per_row": 2, "xlabel": "pairs of", "ylabel": "vector of"}
    figure, rows = draw.model_panels(datasets, tables.across_concepts, 3.6, **look)
    for panel, frame, _ in rows:
        mesh = draw.heat_map(panel, frame, cmap="RdBu_r", low=0.0, high=1.0)
        panel.tick_params(axis="x", rotation=90)
        panel.set_title(panel.get_title().replace("\n", " "))
    figure.colorbar(mesh, ax=[panel for panel, *_ in rows], shrink=0.6, label="accuracy", pad=0.01)
    return figure
