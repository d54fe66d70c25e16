"""The figures of question 2: each function takes results by model and returns one figure."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from xlv.corpus.languages import language
from xlv.questions.claims.rules import RELIABLE
from xlv.questions.consistency import tables
from xlv.report import drawing as draw
from xlv.report.drawing import BLUE, FAINT, FAMILY_COLOURS, GREEN, INK, ORANGE
from xlv.results import Results

KIND = "{kind} cosines"  # that the relationships of a model rest on


@draw.needs(2)
def consistency_map(datasets: Results, *, plain: bool = False) -> Figure:
    """Cosines between the languages' vectors, mean over value concepts, one matrix per model."""
    label = "cosine (largest over layers)" if plain else "corrected cosine of half vectors"
    look = {"cmap": "PuOr_r", "low": -1.0, "high": 1.0, "label": label}
    return draw.matrices(datasets, lambda ds: tables.consistency_matrix(ds, plain=plain), **look)[0]


@draw.needs(3)
def linguistic_correlation(datasets: Results) -> Figure:
    """Direct and split correlation of consistency with linguistic similarity, beside what permuted labels give."""
    look = {"at": 0, "note": KIND, "xlabel": "Pearson correlation"}
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
    """Through the layers: cosine of half vectors, plain and, where half vectors agree enough for it (dotted line),
    corrected cosine between languages. Bands: 95 % intervals."""
    look = {"xlabel": "relative depth (layer / L)", "ylabel": "cosine, mean over values"}
    figure, rows = draw.model_panels(datasets, tables.profile_table, 2.2, **look)
    for panel, table, _ in rows:
        depth = table.index.to_numpy() / table.index.max()
        panel.plot(depth, table["plain"], color=ORANGE, lw=1.5, label="plain cosine between languages")
        panel.plot(depth, table["half vectors"], color=INK, lw=1.5, ls="--", label="half vectors of one language")
        sound = table.where(table["half vectors"] >= RELIABLE)
        for values, name, colour in ((table, "half vectors", INK), (sound, "corrected", BLUE)):
            panel.fill_between(depth, values[f"{name}_low"], values[f"{name}_high"], color=colour, alpha=0.15, lw=0)
        if sound["corrected"].notna().any():
            look = {"ms": 3, "color": BLUE, "lw": 1.8, "label": "corrected cosine between languages"}
            panel.plot(depth, sound["corrected"], "o-", **look)
        panel.axhline(RELIABLE, color=FAINT, lw=0.8, ls=":")
        panel.axhline(0, color=FAINT, lw=0.8)
    return draw.legend_below(figure)


@draw.needs(2)
def language_tree(datasets: Results) -> Figure:
    """Average-linkage trees of the languages by cosine distance; names are coloured by language family."""
    look = {"share": False, "note": KIND, "xlabel": "1 − cosine"}
    figure, rows = draw.model_panels(datasets, tables.pooled_consistency, 3.3, **look)
    for panel, _, dataset in rows:
        links, codes = tables.tree(dataset)
        known = {language(code).label: language(code) for code in codes}
        look = {"color_threshold": 0, "above_threshold_color": INK, "leaf_font_size": 7}
        dendrogram(links, labels=list(known), orientation="left", ax=panel, **look)
        for text in panel.get_yticklabels():
            text.set_color(FAMILY_COLOURS.get(known[text.get_text()].family, INK))
        panel.spines["left"].set_visible(False)
    return figure


@draw.needs(5)
def regression(datasets: Results, found: Mapping[str, pd.DataFrame]) -> Figure:
    """Coefficients of `regression_tables` beside script and token overlap, with their range without one family."""
    look = {"at": 0, "note": KIND, "xlabel": "coefficient"}
    figure, rows = draw.model_panels(datasets, lambda ds: found[ds.attrs["title"]], 1.9, **look)
    for panel, table, _ in rows:
        places = np.arange(len(table))
        panel.hlines(places, table["lowest"], table["highest"], color=GREEN, lw=3, label="range without one family")
        panel.plot(table["coefficient"], places, "o", color=INK, ms=5, label="standardised coefficient")
        look = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom", "fontsize": 7, "color": INK}
        for place, p in zip(places, table["p_holm"], strict=True):
            panel.annotate("p < 0.01" if p < 0.01 else f"p = {p:.2f}", (0.99, place), **look)
        panel.set_xlim(-1, 1.3)
    draw.name_rows(rows[0][0], rows[0][1].index)
    return draw.legend_below(figure)
