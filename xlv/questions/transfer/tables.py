"""The numbers behind the figures of question 3, as tables."""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.models.presets import PRESETS
from xlv.questions import common
from xlv.questions.transfer import gradients
from xlv.questions.transfer import one_way as measures
from xlv.results import Results
from xlv.statistics.jackknife import Replicated


def transfer_matrix(dataset: xr.Dataset, protocol: str = "cv", concept: str | None = None) -> pd.DataFrame:
    """Transferability T, source by target in resource order, of one concept or the mean over value concepts."""
    accuracy, (order, _) = dataset["accuracy"].sel(protocol=protocol), common.resource_order(dataset)
    accuracy = accuracy.sel(concept=concept) if concept else common.over_values(accuracy)
    return common.frame(measures.transferability(accuracy)).loc[order, order]


def _with_intervals(**found: Replicated) -> dict[str, float]:
    """Values and the ends of their 95 % intervals, by name."""
    row = {}
    for name, one in found.items():
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), (one.value, *one.interval()), strict=True))
    return row


def _one_way(accuracy: Replicated, ranks: np.ndarray) -> dict[str, float]:
    """U and its parts."""
    parts = {"U": "total", "U_A": "crossing", "U_D": "own"}.items()
    return _with_intervals(
        **{name: accuracy.of(lambda a, part=part: getattr(measures.one_way(a, ranks), part)) for name, part in parts}
    )


def transfer_summary(datasets: Results, protocol: str = "cv") -> pd.DataFrame:
    """Per model, means over value concepts: U and its parts with 95 % intervals, p by permuted languages, accuracy."""
    rows = {}
    for dataset in datasets.values():
        ranks, accuracy = common.resource_ranks(dataset), common.value_accuracy(dataset, protocol)
        p = gradients.triangle_p(accuracy.value, gradients.scaled(ranks), common.indo_european(dataset))
        means = {"cross_accuracy": common.between(accuracy.value), "own_accuracy": np.diagonal(accuracy.value).mean()}
        rows[dataset.attrs["title"]] = _one_way(accuracy, ranks) | {"p": p} | means
    return pd.DataFrame(rows, dtype=float).T


def triangle_table(datasets: Results, protocol: str = "cv") -> pd.DataFrame:
    """Per model, of means over value concepts: mean T from richer to poorer languages and back.

    `inside` and `outside` the triangle, each with its 95 % interval; `positive` is the share of cells inside that lie
    above 0. Nothing for a single language.
    """
    rows = {}
    for dataset in (dataset for dataset in datasets.values() if dataset.sizes["source"] > 1):
        accuracy, ranks = common.value_accuracy(dataset, protocol), common.resource_ranks(dataset)
        richer = ranks[:, None] < ranks[None, :]
        sides = {"inside": richer, "outside": richer.T}
        found = {
            k: accuracy.of(lambda a, m=m: measures.transferability(a)[..., m].mean(axis=-1)) for k, m in sides.items()
        }
        positive = (measures.transferability(accuracy.value)[richer] > 0).mean()
        rows[dataset.attrs["title"]] = _with_intervals(**found) | {"positive": positive}
    return pd.DataFrame(rows, dtype=float).T


def additive_table(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Source and target effects of the additive model of accuracies off the diagonal, with 95 % intervals over pairs.

    Languages in resource order. Attributes of the frame are both gradients and U_A.
    """
    accuracy, ranks = common.value_accuracy(dataset, protocol), common.resource_ranks(dataset)
    effects = {n: accuracy.of(lambda a, n=n: getattr(measures.additive(a), n)) for n in ("source", "target")}
    columns = _with_intervals(**effects)
    order, _ = common.resource_order(dataset)
    frame = pd.DataFrame(columns, index=[str(code) for code in dataset["source"].values]).loc[order]
    slopes = gradients.source_coefficients(gradients.scaled(ranks))
    rises = (float((accuracy.value * c).sum()) for c in (slopes, slopes.T))
    frame.attrs = dict(zip(("source gradient", "target gradient"), rises, strict=True))
    frame.attrs["U_A"] = float(measures.one_way(accuracy.value, ranks).crossing)
    return frame


def gradient_table(datasets: Results) -> pd.DataFrame:
    """Per model and value concept: source and target gradient, U, U_A and U_D, each with its 95 % interval.

    `p` is that of the source gradient by permuted languages, the Indo-European ones set apart; `margins` the source
    gradient of margins, which have no ceiling. Nothing for fewer than three languages.
    """
    rows = {}
    for dataset in datasets.values():
        ranks = common.resource_ranks(dataset)
        order = gradients.scaled(ranks)
        for concept in common.value_concepts(dataset) if len(ranks) > 2 else ():
            accuracy, margins = common.concept_accuracy(dataset, concept), dataset["margin"].sel(concept=concept).values
            rises = [of(accuracy, ranks) for of in (gradients.source_gradient, gradients.target_gradient)]
            row = _with_intervals(**dict(zip(("source", "target"), rises, strict=True)))
            row["p"] = gradients.gradient_p(accuracy.value, order, common.indo_european(dataset))
            row["margins"] = (margins * gradients.source_coefficients(order)).sum()
            rows[dataset.attrs["title"], concept] = row | _one_way(accuracy, ranks)
    return pd.DataFrame(rows, dtype=float).T


def order_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Per value concept the source gradient under different resource orders, with its 95 % interval.

    The orders are the model's own, also without the dominant languages, and those of published shares, each over the
    languages that have one.
    """
    order, basis = common.resource_order(dataset)
    dominant = dataset["source"].values[common.dominant_languages(dataset)]
    orders = {
        basis.split(" (")[0]: order,
        "without dominant languages": [code for code in order if code not in dominant],
    }
    for name, model in {"shares of LLaMA 2": "llama2-chat-7b", "shares of BLOOM": "bloomz-7b1"}.items():
        shares = PRESETS[model].shares
        orders[name] = sorted((code for code in order if code in shares), key=shares.get, reverse=True)
    rows, places = {}, pd.Index(dataset["source"].values)
    for concept in common.value_concepts(dataset):
        accuracy, rows[concept] = common.concept_accuracy(dataset, concept), {}
        for name, kept in {name: places.get_indexer(codes) for name, codes in orders.items()}.items():
            inner = accuracy.of(lambda a, kept=kept: a[..., kept[:, None], kept])
            found = gradients.source_gradient(inner, np.arange(len(kept)))
            rows[concept] |= _with_intervals(**{name: found if len(kept) > 2 else found.plus(np.nan)})
    return pd.DataFrame(rows).T


def origin_table(datasets: Results, protocol: str = "cv") -> pd.DataFrame:
    """Per model and language that pairs were first written in: accuracy in the richer and the poorer half of languages.

    Read by the own vector and, on average, by the others', with 95 % intervals over pairs; mean over value concepts.
    """
    rows = {}
    for dataset in (dataset for dataset in datasets.values() if dataset.sizes["source"] > 1):
        correct, order = dataset["correct"].sel(protocol=protocol), common.resource_order(dataset)[0]
        own, half = common.own_cells(correct), (len(order) + 1) // 2
        other = (correct.sum("source", skipna=False).rename(target="source") - own) / max(1, len(order) - 1)
        for place, name in enumerate(dataset["written_in"].values):
            here, row = dataset["origin"] == place, {}
            for reader, hits in {"own": own, "other": other}.items():
                for group, codes in {"richer": order[:half], "poorer": order[half:]}.items():
                    found = common.estimate(dataset, hits.sel(source=codes).mean("source", skipna=False).where(here))
                    row |= _with_intervals(**{f"{reader}, {group}": found})
            rows[dataset.attrs["title"], language(str(name)).name] = row
    return pd.DataFrame(rows, dtype=float).T
