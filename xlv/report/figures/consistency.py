"""The figures of question 2: each function takes results by model and returns one figure."""

from itertools import cycle

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from xlv.corpus.languages import language
from xlv.questions.claims.verdicts import ALIKE
from xlv.questions.consistency import tables
from xlv.report import drawing as draw
from xlv.report.drawing import BLUE, FAINT, FAMILY_COLOURS, GREEN, INK, ORANGE
from xlv.results import Results


@draw.needs(2)
def pooled_consistency(datasets: Results) -> Figure:
    """ρ of each value concept with its 95 % interval, beside it ρ of whitened vectors and the paper's plain cosine.

    To the right the number of languages that can be read; the dotted line is the rule's."""
    found = tables.consistency_table(datasets)
    look = {"each": 0.27, "at": 1, "xlabel": "consistency (95 % interval)"}
    figure, rows = draw.model_panels(datasets, lambda ds: found.loc[ds.attrs["title"]], 0.5, **look)
    for panel, table, dataset in rows:
        draw.dots(panel, table, "rho", by=-0.15, color=BLUE, label="ρ")
        draw.dots(panel, table, "whitened", by=0.15, color=GREEN, marker="s", ms=4, label="ρ of whitened vectors")
        panel.plot(table["plain"], np.arange(len(table)), "x", color=ORANGE, ms=5, label="plain cosine")
        panel.axvline(ALIKE, color=FAINT, lw=0.8, ls=":")
        for place, readable in enumerate(table["readable"]):
            said, look = f"{readable} of {dataset.sizes['source']}", {"va": "center", "fontsize": 7, "color": INK}
            panel.text(1.01, place, said, transform=panel.get_yaxis_transform(), **look)
    rows[0][0].set_xlim(-0.3, 1.5)
    draw.name_rows(rows[0][0], rows[0][1].index)
    return draw.legend_below(figure)


@draw.needs(2)
def consistency_map(datasets: Results, *, plain: bool = False) -> Figure:
    """How alike the languages' vectors are, mean over value concepts, one matrix per model; grey is too noisy."""
    label = "cosine (largest over layers)" if plain else "pairwise consistency"
    look = {"cmap": "PuOr_r", "low": -1.0, "high": 1.0, "label": label, "diagonal": plain}
    return draw.matrices(datasets, lambda ds: tables.consistency_matrix(ds, plain=plain), **look)[0]


@draw.needs(3)
def linguistic_correlation(datasets: Results) -> Figure:
    """Direct and split correlation of consistency with linguistic similarity, beside what permuted labels give."""
    look = {"at": 0, "xlabel": "Pearson correlation"}
    figure, rows = draw.model_panels(datasets, tables.linguistic_table, 1.9, **look)
    for panel, table, _ in rows:
        places, chance = np.arange(len(table)), (table["chance_low"], table["chance_high"])
        panel.hlines(places, *chance, color="#cccccc", lw=7, label="permuted languages, 95 %")
        panel.plot(table["direct"], places, "o", color=BLUE, ms=6, label="direct")
        panel.plot(table["split"], places, "D", color=ORANGE, ms=5, label="split by dominant language")
        panel.set_xlim(-1, 1)
    draw.name_rows(rows[0][0], rows[0][1].index)
    return draw.legend_below(figure)


@draw.needs(2)
def layer_profile(datasets: Results) -> Figure:
    """Through the layers: ρ of each value concept where it was measured, with 95 % bands, and the mean plain cosine."""
    look = {"xlabel": "relative depth (layer / L)", "ylabel": "consistency"}
    figure, rows = draw.model_panels(datasets, tables.profile_table, 2.4, **look)
    for panel, table, _ in rows:
        names = [name for name in table if f"{name}_low" in table]
        for name, colour in zip(names, cycle(mpl.colormaps["tab10"].colors), strict=False):
            part = table[table[name].notna()]
            depth = part.index / table.index.max()
            panel.fill_between(depth, part[f"{name}_low"], part[f"{name}_high"], color=colour, alpha=0.12, lw=0)
            panel.plot(depth, part[name], "o-", ms=3, lw=1.2, color=colour, label=f"ρ, {name}")
        panel.plot(table.index / table.index.max(), table["plain"], color=INK, lw=1.5, ls="--", label="plain cosine")
        panel.axhline(0, color=FAINT, lw=0.8)
        panel.set_ylim(-0.3, 1.5)
    return draw.legend_below(figure, columns=4)


@draw.needs(2)
def language_tree(datasets: Results) -> Figure:
    """Average-linkage trees of the languages by cosine distance; names are coloured by language family."""
    look = {"share": False, "note": "{kind}", "xlabel": "1 − consistency"}
    figure, rows = draw.model_panels(datasets, tables.relationships, 3.3, **look)
    for panel, alike, _ in rows:
        known = {language(str(code)).label: language(str(code)) for code in alike.index}
        look = {"color_threshold": 0, "above_threshold_color": INK, "leaf_font_size": 7}
        dendrogram(tables.tree(alike), labels=list(known), orientation="left", ax=panel, **look)
        for text in panel.get_yticklabels():
            text.set_color(FAMILY_COLOURS.get(known[text.get_text()].family, INK))
        panel.spines["left"].set_visible(False)
    return figure
