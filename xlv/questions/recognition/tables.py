"""The numbers behind the figures of question 1, as tables."""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.questions.common import estimate, frame, over_values, own_cells, value_accuracy, value_concepts
from xlv.results import Results
from xlv.statistics.jackknife import Replicated
from xlv.statistics.resampling import interval
from xlv.statistics.vectors import hits

PROTOCOLS = ("cv", "paper")


def own_hits(dataset: xr.Dataset, protocol: str = "cv") -> xr.DataArray:
    """Hits `[concept, source, pair]` of each language's own vectors."""
    return own_cells(dataset["correct"].sel(protocol=protocol)).transpose("concept", "source", "pair")


def own_estimate(dataset: xr.Dataset, protocol: str = "cv") -> Replicated:
    """Accuracy `[language]` of own vectors, mean over value concepts."""
    return value_accuracy(dataset, protocol).of(lambda a: np.diagonal(a, axis1=-2, axis2=-1))


def best_surface(dataset: xr.Dataset) -> Replicated:
    """Accuracy `[language]` of the better of the two surface classifiers, chosen by language on all pairs."""
    found = estimate(dataset, hits(dataset["surface"]).transpose("concept", "surface_kind", "source", "pair"))
    best = found.value.argmax(axis=0)
    return found.of(lambda a: a[..., best, np.arange(len(best))])


def _row(share: Replicated) -> dict[str, np.ndarray]:
    """A share and its 95 % interval, as columns or cells of a table."""
    return dict(zip(("value", "low", "high"), (share.value, *share.share_interval()), strict=True))


def _nulls(dataset: xr.Dataset, *variables: str) -> dict[str, np.ndarray]:
    """Own accuracies `[draw, language]` of what knows nothing, mean over value concepts; without what is not stored."""
    drawn = {name: dataset[name] for name in variables or ("shuffled", "random") if name in dataset}
    drawn = {name: own_cells(array) if "target" in array.dims else array for name, array in drawn.items()}
    return {name: over_values(array).transpose(..., "source").values for name, array in drawn.items()}


def own_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Per language, over value concepts: accuracy of its own vector, 95 % interval, pairs tested, and baselines.

    `surface` is the better of the two surface classifiers on the same pairs; `shuffled` and `random` are the 97.5 %
    quantiles of the same statistic under shuffled labels and for random directions.
    """
    tested = own_hits(dataset, protocol).sel(concept=value_concepts(dataset)).isel(source=0).notnull().sum()
    columns = _row(own_estimate(dataset, protocol)) | {"surface": best_surface(dataset).value}
    columns |= {name: np.quantile(drawn, 0.975, axis=0) for name, drawn in _nulls(dataset).items()}
    table = pd.DataFrame(columns, index=pd.Index(dataset["target"].values, name="language"))
    return table.rename(columns={"value": "accuracy"}).assign(pairs=int(tested))


def concept_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Accuracy of each language's own vector, concepts by languages."""
    return frame(own_cells(dataset["accuracy"].sel(protocol=protocol)).transpose("concept", "source"))


def layer_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Accuracy of own vectors by layer, mean over languages: concepts by layers (every layer held out, none chosen)."""
    return frame(dataset["by_layer"].sel(protocol=protocol).mean("pair"))


def layer_mean(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Mean over value concepts and languages by layer, with its 95 % interval over pairs."""
    found = _row(estimate(dataset, dataset["by_layer"].sel(protocol=protocol)))
    return pd.DataFrame(found, index=dataset["layer"].values).rename(columns={"value": "accuracy"})


def protocol_table(datasets: Results) -> pd.DataFrame:
    """Mean own accuracy under both protocols, their difference, and nulls under `paper` where they are stored."""
    rows = {}
    for dataset in datasets.values():
        row = {protocol: own_estimate(dataset, protocol).value.mean() for protocol in PROTOCOLS}
        found = _nulls(dataset, "shuffled_paper", "random_paper", "untrained_paper")
        row |= {"difference": row["paper"] - row["cv"]} | {name: np.nanmean(drawn) for name, drawn in found.items()}
        rows[dataset.attrs["title"]] = row
    return pd.DataFrame(rows).T.rename(columns=lambda name: name.replace("_paper", ", paper"))


def outlier_table(datasets: Results) -> pd.DataFrame:
    """Share of states with norms above 3 times the median at the chosen layers, models by languages, over values."""
    return pd.DataFrame({d.attrs["title"]: over_values(d["outliers"]).to_series() for d in datasets.values()}).T


def _mean_row(dataset: xr.Dataset, correct: xr.DataArray) -> dict[str, float]:
    """Mean over value concepts and languages with its 95 % interval over pairs."""
    return _row(estimate(dataset, correct).of(lambda a: a.mean(axis=-1)))


def baseline_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Mean over value concepts and languages of the concept vectors and of each baseline, with 95 % intervals.

    For shuffled labels and random directions the interval is the central 95 % of the null distribution itself.
    """
    measured = {"concept vectors, protocol paper": own_hits(dataset, "paper")}
    for kind in dataset["surface_kind"].values:
        measured[f"surface {kind}"] = hits(dataset["surface"].sel(surface_kind=kind))
    measured["token embeddings"] = dataset["embedded"]
    if "likelihood" in dataset:  # left out of runs without baselines
        measured["likelihood"] = hits(dataset["likelihood"])
        measured["untrained model"] = dataset["untrained"].dropna("source", how="all")
    rows = {"concept vectors": _row(own_estimate(dataset).of(lambda a: a.mean(axis=-1)))}
    rows |= {name: _mean_row(dataset, correct) for name, correct in measured.items()}
    for name, drawn in zip(("shuffled labels", "random directions"), _nulls(dataset).values(), strict=True):
        low, high = interval(drawn.mean(axis=1))
        rows[name] = {"value": drawn.mean(), "low": low, "high": high}
    return pd.DataFrame(rows, dtype=float).T


def readout_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Own and other languages' vectors: accuracy on pairs, AUROC of single texts, and accuracy at thresholds.

    `carried` is the threshold of the source language, `centred` the mean of the target's own texts.
    """
    mine = own_hits(dataset)
    correct = dataset["correct"].sel(protocol="cv").sum("source").rename(target="source")
    measures = {("pairs", "own"): mine, ("pairs", "other"): (correct - mine) / max(1, dataset.sizes["source"] - 1)}
    for measure in dataset["measure"].values:
        for reader in dataset["reader"].values:
            measures[str(measure), str(reader)] = dataset["readout"].sel(measure=measure, reader=reader)
    rows = {name: _mean_row(dataset, found) for name, found in measures.items()}
    return pd.DataFrame(rows, dtype=float).T.rename_axis(["measure", "vector"])


def estimator_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Accuracy of each estimator's directions at the same layers and folds, read by own and by other languages."""
    rows = {
        (str(name), str(reader)): _mean_row(dataset, dataset["estimated"].sel(estimator=name, reader=reader))
        for name in dataset["estimator"].values
        for reader in dataset["reader"].values
    }
    return pd.DataFrame(rows, dtype=float).T.rename_axis(["estimator", "vector"])


def learning_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Mean accuracy of own vectors by number of training pairs, with 95 % intervals; sizes that were possible."""
    frame = pd.DataFrame(_mean_row(dataset, dataset["curve"]), index=dataset["size"].values)
    return frame.rename(columns={"value": "accuracy"}).dropna().rename_axis("training pairs")


def across_concepts(dataset: xr.Dataset) -> pd.DataFrame:
    """Accuracy of one concept's vectors (down) on the pairs of another (across), mean over languages.

    On the diagonal the concept's own held-out accuracy.
    """
    return frame(dataset["across"].mean("source"))
