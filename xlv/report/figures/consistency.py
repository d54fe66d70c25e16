"""The figures of question 2: each function takes results by model and returns one figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from xlv.analysis.rules import RELIABLE
from xlv.corpus.languages import language
from xlv.report.style import BLUE, FAINT, FAMILY_COLOURS, GREEN, INK, ORANGE, legend_below, matrices, panels, titles_of
from xlv.report.tables import consistency as tables


def consistency_map(datasets: dict[str, xr.Dataset], *, plain: bool = False) -> Figure:
    """Cosines between the languages' vectors, mean over value concepts, one matrix a model."""
    frames = [tables.consistency_matrix(dataset, plain=plain) for dataset in datasets.values()]
    label = "cosine (largest over layers)" if plain else "corrected cosine of half vectors"
    figure, _ = matrices(frames, titles_of(datasets), cmap="PuOr_r", low=-1.0, high=1.0, text="{:.2f}", label=label)
    return figure


def linguistic_correlation(datasets: dict[str, xr.Dataset]) -> Figure:
    """Direct and split correlation of consistency with linguistic similarity, beside what permuted labels give."""
    figure, axes = panels(len(datasets), 2.0)
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
    legend_below(figure, axes[0])
    return figure


def layer_profile(datasets: dict[str, xr.Dataset]) -> Figure:
    """Through the layers: plain and corrected cosine between languages, and the cosine of half vectors.

    The corrected one is drawn, with its 95 % band, where half vectors agree enough for it (dotted line).
    """
    figure, axes = panels(len(datasets), 2.4)
    for panel, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        table = tables.profile_table(dataset)
        depth = table.index.to_numpy() / table.index.max()
        panel.plot(depth, table["plain"], color=ORANGE, lw=1.5, label="plain cosine between languages")
        panel.plot(depth, table["half vectors"], color=INK, lw=1.5, ls="--", label="half vectors of one language")
        sound = table.where(table["half vectors"] >= RELIABLE)
        panel.fill_between(depth, sound["low"], sound["high"], color=BLUE, alpha=0.2, lw=0)
        words = "corrected cosine between languages"
        panel.plot(depth, sound["corrected"], "o-", ms=3, color=BLUE, lw=1.8, label=words)
        panel.axhline(RELIABLE, color=FAINT, lw=0.8, ls=":")
        panel.axhline(0, color=FAINT, lw=0.8)
        panel.set(title=title, xlabel="relative depth (layer / L)", ylim=(-0.15, 1.15))
    axes[0].set_ylabel("cosine, mean over values")
    legend_below(figure, axes[0])
    return figure


def language_tree(datasets: dict[str, xr.Dataset]) -> Figure:
    """Average-linkage trees of the languages by cosine distance; names are coloured by language family."""
    figure, axes = panels(len(datasets), 3.4, share=False)
    for panel, dataset, title in zip(axes, datasets.values(), titles_of(datasets), strict=True):
        links, codes = tables.tree(dataset)
        names = [language(code).label for code in codes]
        dendrogram(
            links, labels=names, orientation="left", ax=panel, color_threshold=0, above_threshold_color=INK,
            leaf_font_size=7,
        )  # fmt: skip
        families = {language(code).label: language(code).family for code in codes}
        for text in panel.get_yticklabels():
            text.set_color(FAMILY_COLOURS.get(families[text.get_text()], INK))
        panel.set(title=title, xlabel=f"1 − {tables.pooled_consistency(dataset).attrs['kind']} cosine")
        panel.spines["left"].set_visible(False)
    return figure


def regression(found: dict[str, pd.DataFrame]) -> Figure:
    """Coefficients beside script and token overlap, with their range without one family, a table by model title."""
    figure, axes = panels(len(found), 2.0)
    for panel, (title, table) in zip(axes, found.items(), strict=True):
        places = np.arange(len(table))
        panel.hlines(places, table["lowest"], table["highest"], color=GREEN, lw=3, label="range without one family")
        panel.plot(table["coefficient"], places, "o", color=INK, ms=5, label="standardised coefficient")
        for place, p in zip(places, table["p_holm"], strict=True):
            words = "p < 0.01" if p < 0.01 else f"p = {p:.2f}"
            panel.annotate(words, (0.99, place), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                           fontsize=7, color=INK)  # fmt: skip
        panel.axvline(0, color=FAINT, lw=0.8)
        panel.set(title=title.replace(" (", "\n("), xlabel="coefficient", xlim=(-1, 1.3))
    axes[0].set_yticks(places, table.index)
    axes[0].invert_yaxis()
    legend_below(figure, axes[0])
    return figure
