"""The numbers behind the figures of question 1, as tables."""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.questions.claims.verdicts import Finding, encoded
from xlv.questions.common import Estimate, estimate, value_accuracy, value_concepts
from xlv.statistics.resampling import interval

PROTOCOLS = ("cv", "paper")


def own_hits(dataset: xr.Dataset, protocol: str = "cv") -> xr.DataArray:
    """Hits `[concept, source, pair]` of each language's own vectors."""
    correct = dataset["correct"].sel(protocol=protocol)
    own = np.diagonal(correct.values, axis1=1, axis2=2).swapaxes(1, 2)
    return xr.DataArray(own, dims=("concept", "source", "pair"), coords={"source": dataset["source"]})


def own_estimate(dataset: xr.Dataset, protocol: str = "cv") -> Estimate:
    """Accuracy `[language]` of own vectors, mean over value concepts."""
    found = value_accuracy(dataset, protocol)
    return Estimate(np.diagonal(found.value), np.diagonal(found.samples, axis1=1, axis2=2))


def surface_hits(dataset: xr.Dataset) -> xr.DataArray:
    """Hits `[concept, surface_kind, source, pair]` of the surface classifiers on the same pairs."""
    margins = dataset["surface"]
    return xr.where(np.isfinite(margins), (margins > 0) + 0.5 * (margins == 0), np.nan)


def best_surface(dataset: xr.Dataset) -> Estimate:
    """Accuracy `[language]` of the better of the two surface classifiers, chosen by language on all pairs."""
    found = estimate(dataset, surface_hits(dataset).transpose("concept", "surface_kind", "source", "pair"))
    best = found.value.argmax(axis=0)
    places = (best, np.arange(len(best)))
    return Estimate(found.value[places], found.samples[:, *places])


def own_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Per language, over value concepts: accuracy of its own vector, 95 % interval, pairs tested, and baselines.

    `surface` is the better of the two surface classifiers on the same pairs; `shuffled` and `random` are the 97.5 %
    quantiles of the same statistic under shuffled labels and for random directions.
    """
    found = own_estimate(dataset, protocol)
    low, high = found.interval
    concepts = dataset.sel(concept=value_concepts(dataset))
    shuffled = np.diagonal(concepts["shuffled"].mean("concept").values, axis1=1, axis2=2)
    random = concepts["random"].mean("concept").values
    return pd.DataFrame(
        {
            "accuracy": found.value,
            "low": low,
            "high": high,
            "surface": best_surface(dataset).value,
            "shuffled": np.quantile(shuffled, 0.975, axis=0),
            "random": np.quantile(random, 0.975, axis=0),
            "pairs": int(own_hits(dataset, protocol)[_marks(dataset), 0].notnull().sum()),
        },
        index=pd.Index(dataset["target"].values, name="language"),
    )


def _marks(dataset: xr.Dataset) -> np.ndarray:
    return np.flatnonzero(np.isin(dataset["concept"].values, value_concepts(dataset)))


def read(dataset: xr.Dataset, protocol: str = "cv") -> Finding:
    """In how many languages own vectors are read, counted as for claim 1."""
    vectors, surface = own_estimate(dataset, protocol), best_surface(dataset)
    defined = np.isfinite(vectors.samples).all(axis=1)  # one split has few test pairs: a resample may draw none
    return encoded((vectors.value, vectors.samples[defined]), (surface.value, surface.samples[defined]))


def concept_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Accuracy of each language's own vector, concepts by languages."""
    matrix = np.diagonal(dataset["accuracy"].sel(protocol=protocol).values, axis1=1, axis2=2)
    return pd.DataFrame(matrix, index=dataset["concept"].values, columns=dataset["target"].values)


def layer_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Accuracy of own vectors by layer, mean over languages: concepts by layers (every layer held out, none chosen)."""
    own = dataset["by_layer"].sel(protocol=protocol).mean("pair")
    return pd.DataFrame(own.values, index=dataset["concept"].values, columns=dataset["layer"].values)


def layer_mean(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Mean over value concepts and languages by layer, with its 95 % interval over pairs."""
    found = estimate(dataset, dataset["by_layer"].sel(protocol=protocol))
    low, high = found.interval
    return pd.DataFrame({"accuracy": found.value, "low": low, "high": high}, index=dataset["layer"].values)


def protocol_table(datasets: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Mean own-language accuracy under both protocols, and what choosing the layer on the test pairs adds."""
    rows = {}
    for dataset in datasets.values():
        means = {p: own_accuracy(dataset, p)["accuracy"].mean() for p in PROTOCOLS}
        rows[dataset.attrs["title"]] = {**means, "difference": means["paper"] - means["cv"]}
    return pd.DataFrame(rows).T


def baseline_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Mean over value concepts and languages of the concept vectors and of each baseline, with 95 % intervals.

    For shuffled labels and random directions the interval is the central 95 % of the null distribution itself.
    """
    surface = surface_hits(dataset)
    measured = {
        "concept vectors, protocol paper": own_hits(dataset, "paper"),
        **{f"surface {kind}": surface.sel(surface_kind=kind) for kind in dataset["surface_kind"].values},
        "token embeddings": dataset["embedded"],
    }
    if "likelihood" in dataset:  # left out of runs without baselines
        nats = dataset["likelihood"]
        measured["likelihood"] = xr.where(np.isfinite(nats), (nats > 0) + 0.5 * (nats == 0), np.nan)
        measured["untrained model"] = dataset["untrained"].dropna("source", how="all")
    own = own_estimate(dataset)
    rows = {"concept vectors": Estimate(own.value.mean(), own.samples.mean(axis=1)).row()}
    for name, hits in measured.items():
        found = estimate(dataset, hits)
        rows[name] = Estimate(found.value.mean(), found.samples.mean(axis=1)).row()
    concepts = dataset.sel(concept=value_concepts(dataset))
    shuffled = np.diagonal(concepts["shuffled"].mean("concept").values, axis1=1, axis2=2)
    random = concepts["random"].mean("concept").values
    for name, drawn in (("shuffled labels", shuffled), ("random directions", random)):
        low, high = interval(drawn.mean(axis=1))
        rows[name] = {"value": float(drawn.mean()), "low": float(low), "high": float(high)}
    return pd.DataFrame(rows).T


def readout_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Own and other languages' vectors: accuracy on pairs, AUROC of single texts, and accuracy at thresholds.

    `carried` is the threshold of the source language, `centred` the mean of the target's own texts.
    """
    correct = dataset["correct"].sel(protocol="cv")
    n = dataset.sizes["source"]
    own = own_hits(dataset)
    others = (correct.sum("source").values - own.values) / max(1, n - 1)
    measures = {"pairs": {"own": own, "other": own.copy(data=others)}} | {
        str(m): {str(r): dataset["readout"].sel(measure=m, reader=r) for r in dataset["reader"].values}
        for m in dataset["measure"].values
    }
    rows = {}
    for measure, readers in measures.items():
        for reader, hits in readers.items():
            found = estimate(dataset, hits)
            rows[measure, reader] = Estimate(found.value.mean(), found.samples.mean(axis=1)).row()
    return pd.DataFrame(rows).T.rename_axis(["measure", "vector"])


def estimator_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Accuracy of each estimator's directions at the same layers and folds, read by own and by other languages."""
    rows = {}
    for name in dataset["estimator"].values:
        for reader in dataset["reader"].values:
            found = estimate(dataset, dataset["estimated"].sel(estimator=name, reader=reader))
            rows[str(name), str(reader)] = Estimate(found.value.mean(), found.samples.mean(axis=1)).row()
    return pd.DataFrame(rows).T.rename_axis(["estimator", "vector"])


def learning_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Mean accuracy of own vectors by number of training pairs, with 95 % intervals; sizes that were possible."""
    found = estimate(dataset, dataset["curve"])
    mean = Estimate(found.value.mean(axis=1), found.samples.mean(axis=2))
    low, high = mean.interval
    frame = pd.DataFrame({"accuracy": mean.value, "low": low, "high": high}, index=dataset["size"].values)
    return frame.dropna().rename_axis("training pairs")


def across_concepts(dataset: xr.Dataset) -> pd.DataFrame:
    """Accuracy of one concept's vectors (down) on the pairs of another (across), mean over languages.

    On the diagonal the concept's own held-out accuracy.
    """
    matrix = dataset["across"].mean("source")
    return pd.DataFrame(matrix.values, index=dataset["concept"].values, columns=dataset["other"].values)
