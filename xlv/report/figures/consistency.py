"""The figures of question 2: each function takes results by model and returns one figure."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from xlv.corpus.languages import language
from xlv.questions.claims.rules import RELIABLE
from xlv.questions.consistency import tables as tables
from xlv.report.style import BLUE, FAINT, FAMILY_COLOURS, GREEN, INK, ORANGE, legend_below, matrices, panels, titles_of
from xlv.report.titles import told_apart


def consistency_map(datasets: dict[str, xr.Dataset], *, plain: bool = False) -> Figure:
    """Cosines between the languages' vectors, mean over value concepts, one matrix a model."""
    frames = [tables.consistency_matrix(dataset, plain=plain) for dataset in datasets.values()]
    label = "cosine (largest over layers)" if plain else "corrected cosine of half vectors"
    figure, _ = matrices(frames, titles_of(datasets), cmap="PuOr_r", low=-1.0, high=1.0, text="{:.2f}", label=label)
    return figure


def _of_kind(title: str, table: pd.DataFrame) -> str:
    """A panel's title with the cosines that the relationships of its model rest on."""
    return f"{title}\n{table.attrs['kind']} cosines"


def linguistic_correlation(datasets: dict[str, xr.Dataset]) -> Figure:
    """Direct and split correlation of consistency with linguistic similarity, beside what permuted labels give."""
    figure, axes = panels(len(datasets), 1.9, xlabel="Pearson correlation")
    for panel, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        table = tables.linguistic_table(dataset)
        places = np.arange(len(table))
        panel.hlines(
            places, table["chance_low"], table["chance_high"], color="#cccccc", lw=7, label="permuted languages, 95 %"
        )
        panel.plot(table["direct"], places, "o", color=BLUE, ms=6, label="direct")
        panel.plot(table["split"], places, "D", color=ORANGE, ms=5, label="split by dominant language")
        panel.axvline(0, color=FAINT, lw=0.8)
        panel.set(title=_of_kind(title, table), xlim=(-1, 1))
    axes[0].set_yticks(places, table.index)
    axes[0].invert_yaxis()
    legend_below(figure)
    return figure


def layer_profile(datasets: dict[str, xr.Dataset]) -> Figure:
    """Through the layers: plain and corrected cosine between languages, and the cosine of half vectors.

    The corrected one is drawn where half vectors agree enough for it (dotted line). Bands: 95 % intervals.
    """
    figure, axes = panels(len(datasets), 2.2, xlabel="relative depth (layer / L)", ylabel="cosine, mean over values")
    for panel, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        table = tables.profile_table(dataset)
        depth = table.index.to_numpy() / table.index.max()
        panel.plot(depth, table["plain"], color=ORANGE, lw=1.5, label="plain cosine between languages")
        panel.plot(depth, table["half vectors"], color=INK, lw=1.5, ls="--", label="half vectors of one language")
        sound = table.where(table["half vectors"] >= RELIABLE)
        for values, name, colour in ((table, "half vectors", INK), (sound, "corrected", BLUE)):
            panel.fill_between(depth, values[f"{name}_low"], values[f"{name}_high"], color=colour, alpha=0.15, lw=0)
        corrected = sound["corrected"]
        if corrected.notna().any():
            panel.plot(depth, corrected, "o-", ms=3, color=BLUE, lw=1.8, label="corrected cosine between languages")
        panel.axhline(RELIABLE, color=FAINT, lw=0.8, ls=":")
        panel.axhline(0, color=FAINT, lw=0.8)
        panel.set(title=title)
    legend_below(figure)
    return figure


def language_tree(datasets: dict[str, xr.Dataset]) -> Figure:
    """Average-linkage trees of the languages by cosine distance; names are coloured by language family."""
    figure, axes = panels(len(datasets), 3.3, share=False, xlabel="1 − cosine")
    for panel, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        links, codes = tables.tree(dataset)
        names = [language(code).label for code in codes]
        dendrogram(
            links,
            labels=names,
            orientation="left",
            ax=panel,
            color_threshold=0,
            above_threshold_color=INK,
            leaf_font_size=7,
        )
        families = {language(code).label: language(code).family for code in codes}
        for text in panel.get_yticklabels():
            text.set_color(FAMILY_COLOURS.get(families[text.get_text()], INK))
        panel.set(title=_of_kind(title, tables.pooled_consistency(dataset)))
        panel.spines["left"].set_visible(False)
    return figure


def regression(found: dict[str, pd.DataFrame]) -> Figure:
    """Coefficients beside script and token overlap, with their range without one family, a table by model title."""
    figure, axes = panels(len(found), 1.9, xlabel="coefficient")
    for panel, title, table in zip(axes, told_apart(found), found.values(), strict=True):
        places = np.arange(len(table))
        panel.hlines(places, table["lowest"], table["highest"], color=GREEN, lw=3, label="range without one family")
        panel.plot(table["coefficient"], places, "o", color=INK, ms=5, label="standardised coefficient")
        for place, p in zip(places, table["p_holm"], strict=True):
            words = "p < 0.01" if p < 0.01 else f"p = {p:.2f}"
            panel.annotate(
                words, (0.99, place), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7, color=INK
            )
        panel.axvline(0, color=FAINT, lw=0.8)
        panel.set(title=_of_kind(title, table), xlim=(-1, 1.3))
    axes[0].set_yticks(places, table.index)
    axes[0].invert_yaxis()
    legend_below(figure)
    return figure
