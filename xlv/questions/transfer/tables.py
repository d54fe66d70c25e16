"""The numbers behind the figures of question 3, as tables."""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions.common import dominant_languages, resource_order, resource_ranks, value_accuracy, value_concepts
from xlv.questions.transfer.one_way import additive, dominant_contrast, one_way, permutation_p, transferability
from xlv.report.formats import p_value, signed
from xlv.report.titles import told_apart
from xlv.statistics.resampling import interval_about


def transfer_matrix(dataset: xr.Dataset, protocol: str = "cv", concept: str | None = None) -> pd.DataFrame:
    """Transferability T, source by target in resource order, of one concept or the mean over value concepts."""
    chosen = [concept] if concept else value_concepts(dataset)
    matrix = transferability(dataset["accuracy"].sel(protocol=protocol, concept=chosen).mean("concept").values)
    order, _ = resource_order(dataset)
    frame = pd.DataFrame(matrix, index=dataset["source"].values, columns=dataset["target"].values)
    return frame.loc[order, order]


def _marks(dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """All languages, and those that do not dominate: the two sets that one-way transfer is asked of."""
    return np.arange(dataset.sizes["source"]), np.flatnonzero(~dominant_languages(dataset))


def margins(dataset: xr.Dataset) -> np.ndarray:
    """Mean held-out margins `[source, target]` under `cv`, in units of their root mean square, over value concepts.

    Unlike an accuracy a margin has no ceiling, so it tells whether one-way transfer is an effect of one.
    """
    return dataset["margin"].sel(concept=value_concepts(dataset)).mean("concept").values


def transfer_summary(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> pd.DataFrame:
    """Per model: U = U_A + U_D with 95 % intervals over pairs, QAP p-value, and mean transfer between languages."""
    rows = {}
    for dataset in datasets.values():
        ranks, found = resource_ranks(dataset), value_accuracy(dataset, protocol)
        point, row = found.value, _one_way_row(found.value, found.samples, ranks)
        off = ~np.eye(len(ranks), dtype=bool)
        rows[dataset.attrs["title"]] = {
            **row,
            "p": permutation_p(point, ranks),
            "mean_T": float(transferability(point)[off].mean()),
            "cross_accuracy": float(point[off].mean()),
            "own_accuracy": float(np.diagonal(point).mean()),
        }
    return pd.DataFrame(rows).T


def _one_way_row(point: np.ndarray, samples: np.ndarray, ranks: np.ndarray) -> dict[str, float]:
    found, drawn = one_way(point, ranks), one_way(samples, ranks)
    row = {}
    for name, symbol in (("total", "U"), ("crossing", "U_A"), ("own", "U_D")):
        low, high = interval_about(getattr(found, name), getattr(drawn, name))
        row |= {symbol: float(getattr(found, name)), f"{symbol}_low": float(low), f"{symbol}_high": float(high)}
    return row


def one_way_variants(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """U and its parts over all languages, without the dominant ones, and on margins; p by permuted languages.

    On margins, in units of their root mean square, there is no interval: they are kept as means over resamples' pairs.
    """
    ranks, unbounded, found = resource_ranks(dataset), margins(dataset), value_accuracy(dataset, protocol)
    point, samples = found.value, found.samples
    rows = {}
    for label, kept in zip(("all languages", "without dominant languages"), _marks(dataset), strict=True):
        if len(kept) < 2:
            continue
        order, grid = ranks[kept].argsort().argsort(), np.ix_(kept, kept)
        inner = samples[:, kept[:, None], kept]
        rows[label] = {**_one_way_row(point[grid], inner, order), "p": permutation_p(point[grid], order)}
        parts = one_way(unbounded[grid], order)
        rows[f"{label}, on margins"] = {
            "U": float(parts.total),
            "U_A": float(parts.crossing),
            "U_D": float(parts.own),
            "p": permutation_p(unbounded[grid], order),
        }
    return pd.DataFrame(rows).T


def dominant_table(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> pd.DataFrame:
    """Per model and dominant language: how much better it reads the others than they read each other, 95 % interval."""
    rows = {}
    for dataset in datasets.values():
        found = value_accuracy(dataset, protocol)
        for i in np.flatnonzero(dominant_languages(dataset)):
            value = dominant_contrast(found.value, int(i))
            low, high = interval_about(value, dominant_contrast(found.samples, int(i)))
            rows[dataset.attrs["title"], str(dataset["source"].values[i])] = {
                "contrast": float(value),
                "low": float(low),
                "high": float(high),
            }
    table = pd.DataFrame(rows).T.rename_axis(["model", "dominant language"])
    return table.rename(index=lambda code: language(code).name, level=1)


def additive_table(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Source and target effects of the additive model of accuracies off the diagonal, with 95 % intervals over pairs.

    Languages in resource order; the attribute `explained` of the frame is the share of variance that they account for.
    """
    accuracy_ = value_accuracy(dataset, protocol)
    found, drawn = additive(accuracy_.value), [additive(row) for row in accuracy_.samples]
    columns = {}
    for name in ("source", "target"):
        low, high = interval_about(getattr(found, name), np.stack([getattr(d, name) for d in drawn]))
        columns |= {name: getattr(found, name), f"{name}_low": low, f"{name}_high": high}
    order, _ = resource_order(dataset)
    frame = pd.DataFrame(columns, index=[str(code) for code in dataset["source"].values]).loc[order]
    frame.attrs["explained"] = found.explained
    return frame


def variants_table(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> pd.DataFrame:
    """U, its parts and p of `one_way_variants`, all models in one table, as a reader sees them."""
    names = told_apart(dataset.attrs["title"] for dataset in datasets.values())
    table = pd.concat([one_way_variants(dataset, protocol) for dataset in datasets.values()], keys=names)
    shown = table[["U", "U_A", "U_D"]].map(signed).assign(p=table["p"].map(p_value))
    return shown.rename(columns={"U_A": "part A", "U_D": "part D"})


def transfer_by_concept(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Transferability of every value concept, stacked."""
    return pd.concat({name: transfer_matrix(dataset, protocol, name) for name in value_concepts(dataset)})
