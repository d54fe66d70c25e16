"""The numbers behind the figures of question 3, as tables."""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions import common
from xlv.questions.transfer import one_way as measures
from xlv.results import Results
from xlv.statistics.resampling import Estimate, interval_about


def transfer_matrix(dataset: xr.Dataset, protocol: str = "cv", concept: str | None = None) -> pd.DataFrame:
    """Transferability T, source by target in resource order, of one concept or the mean over value concepts."""
    accuracy, (order, _) = dataset["accuracy"].sel(protocol=protocol), common.resource_order(dataset)
    accuracy = accuracy.sel(concept=concept) if concept else common.over_values(accuracy)
    return common.frame(measures.transferability(accuracy)).loc[order, order]


def transfer_by_concept(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Transferability of every value concept, stacked."""
    return pd.concat({name: transfer_matrix(dataset, protocol, name) for name in common.value_concepts(dataset)})


def _one_way_row(accuracy: Estimate, ranks: np.ndarray) -> dict[str, float]:
    row = {}
    for symbol, found in measures.one_way_estimates(accuracy, ranks).items():
        row |= dict(zip((symbol, f"{symbol}_low", f"{symbol}_high"), (found.value, *found.interval()), strict=True))
    return row | {"p": measures.permutation_p(accuracy.value, ranks)}


def transfer_summary(datasets: Results, protocol: str = "cv") -> pd.DataFrame:
    """Per model: U = U_A + U_D with 95 % intervals over pairs, QAP p-value, and mean transfer between languages."""
    rows = {}
    for dataset in datasets.values():
        ranks, accuracy = common.resource_ranks(dataset), common.value_accuracy(dataset, protocol)
        means = {"mean_T": common.between(measures.transferability(accuracy.value))}
        means["cross_accuracy"] = common.between(accuracy.value)
        own = {"own_accuracy": np.diagonal(accuracy.value).mean()}
        rows[dataset.attrs["title"]] = _one_way_row(accuracy, ranks) | means | own
    return pd.DataFrame(rows, dtype=float).T


def one_way_variants(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """U and its parts over all languages, without the dominant ones, and on margins; p by permuted languages.

    Margins, in units of their root mean square, have no ceiling, so they tell whether one-way transfer is an effect of
    one. They have no interval: they are kept as means over resamples' pairs.
    """
    accuracy, ranks = common.value_accuracy(dataset, protocol), common.resource_ranks(dataset)
    margins, rows = common.over_values(dataset["margin"]).values, {}
    others = np.flatnonzero(~common.dominant_languages(dataset))
    for name, kept in {"all languages": np.arange(len(ranks)), "without dominant languages": others}.items():
        if len(kept) > 1 or len(kept) == len(ranks):
            inner, order = measures.among(accuracy, ranks, kept)
            unbounded = margins[np.ix_(kept, kept)]
            parts = measures.one_way(unbounded, order)
            row = {symbol: getattr(parts, part) for symbol, part in measures.PARTS.items()}
            rows[name] = _one_way_row(inner, order)
            rows[f"{name}, on margins"] = row | {"p": measures.permutation_p(unbounded, order)}
    return pd.DataFrame(rows, dtype=float).T


def dominant_table(datasets: Results, protocol: str = "cv") -> pd.DataFrame:
    """Per model and dominant language: how much better it reads the others than they read each other, 95 % interval."""
    rows = {}
    for dataset in datasets.values():
        accuracy, marks = common.value_accuracy(dataset, protocol), common.dominant_languages(dataset)
        if not marks.any():
            rows[dataset.attrs["title"], "none of these languages"] = dict.fromkeys(("contrast", "low", "high"), np.nan)
        for i in np.flatnonzero(marks):
            found = accuracy.of(lambda a, i=int(i): measures.dominant_contrast(a, i))
            low, high = found.interval()
            name = language(str(dataset["source"].values[i])).name
            rows[dataset.attrs["title"], name] = {"contrast": found.value, "low": low, "high": high}
    return pd.DataFrame(rows, dtype=float).T.rename_axis(["model", "dominant language"])


def additive_table(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Source and target effects of the additive model of accuracies off the diagonal, with 95 % intervals over pairs.

    Languages in resource order; the attribute `explained` of the frame is the share of variance that they account for.
    """
    accuracy = common.value_accuracy(dataset, protocol)
    found, drawn = measures.additive(accuracy.value), [measures.additive(row) for row in accuracy.samples]
    columns = {}
    for name in ("source", "target"):
        low, high = interval_about(getattr(found, name), np.stack([getattr(d, name) for d in drawn]))
        columns |= {name: getattr(found, name), f"{name}_low": low, f"{name}_high": high}
    order, _ = common.resource_order(dataset)
    frame = pd.DataFrame(columns, index=[str(code) for code in dataset["source"].values]).loc[order]
    frame.attrs["explained"] = found.explained
    return frame
