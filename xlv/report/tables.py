"""The numbers behind every figure, as tables: each function takes results and returns what is drawn or quoted."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import xarray as xr

from xlv.analysis.linguistics import correlation, permutation_interval
from xlv.analysis.statistics import interval
from xlv.analysis.transfer import accuracy_samples, one_way, permutation_p, transferability
from xlv.corpus.concepts import CONTROLS
from xlv.corpus.distances import KINDS, linguistic_similarity
from xlv.models.presets import PRESETS


def value_concepts(dataset: xr.Dataset) -> list[str]:
    """Concepts of a dataset that are values: all but the control concepts sentiment and tense."""
    names = [str(c) for c in dataset["concept"].values]
    return [c for c in names if c not in CONTROLS] or names


@lru_cache(maxsize=16)
def _samples(key: tuple, protocol: str) -> np.ndarray:
    dataset = _KEPT[key]
    correct = dataset["correct"].sel(protocol=protocol).values
    groups = dataset["group"].values
    parts = []
    for c in range(len(correct)):
        known = np.isfinite(groups[c])
        parts.append(accuracy_samples(correct[c][..., known], groups[c][known].astype(int), seed=c))
    return np.stack(parts, axis=1).astype(np.float32)


_KEPT: dict[tuple, xr.Dataset] = {}


def accuracy_resamples(dataset: xr.Dataset, protocol: str = "cv") -> np.ndarray:
    """Bootstrap accuracies `[resample, concept, source, target]`; concepts have pairs of their own, so seeds too."""
    key = (dataset.attrs.get("model"), dataset.attrs.get("settings"))
    _KEPT[key] = dataset
    return _samples(key, protocol)


def _values(dataset: xr.Dataset) -> np.ndarray:
    return np.isin(dataset["concept"].values, value_concepts(dataset))


def accuracy(dataset: xr.Dataset, protocol: str = "cv") -> xr.DataArray:
    """Accuracy `[concept, source, target]` at the chosen layer."""
    return dataset["correct"].sel(protocol=protocol).mean("pair")


def own_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Per language, over value concepts: accuracy of its own vector, 95 % interval, pairs tested, and baselines.

    `surface` is the better of the two surface classifiers on the same pairs; `shuffled` the 97.5 % quantile of the
    same statistic under shuffled labels.
    """
    chosen = _values(dataset)
    point = np.diagonal(accuracy(dataset, protocol).values[chosen].mean(axis=0))
    samples = np.diagonal(accuracy_resamples(dataset, protocol)[:, chosen].mean(axis=1), axis1=1, axis2=2)
    low, high = interval(samples)
    surface = (dataset["surface"].values[:, chosen] > 0).astype(float)
    surface[~np.isfinite(dataset["surface"].values[:, chosen])] = np.nan
    shuffled = np.diagonal(dataset["shuffled"].values[:, chosen].mean(axis=1), axis1=1, axis2=2)
    tested = np.isfinite(dataset["correct"].sel(protocol=protocol).values[chosen][:, 0, 0]).sum()
    return pd.DataFrame(
        {
            "accuracy": point,
            "low": low,
            "high": high,
            "surface": np.nanmean(surface, axis=(1, 3)).max(axis=0),
            "shuffled": np.quantile(shuffled, 0.975, axis=0),
            "pairs": int(tested),
        },
        index=pd.Index(dataset["target"].values, name="language"),
    )


def concept_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Accuracy of each language's own vector, concepts by languages."""
    matrix = np.diagonal(accuracy(dataset, protocol).values, axis1=1, axis2=2)
    return pd.DataFrame(matrix, index=dataset["concept"].values, columns=dataset["target"].values)


def layer_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> pd.DataFrame:
    """Accuracy of own vectors by layer, mean over languages: concepts by layers (every layer held out, none chosen)."""
    own = np.diagonal(dataset["accuracy"].sel(protocol=protocol).values, axis1=1, axis2=2)
    return pd.DataFrame(own.mean(axis=-1), index=dataset["concept"].values, columns=dataset["layer"].values)


def protocol_table(datasets: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Mean own-language accuracy under both protocols, and what choosing the layer on the test pairs adds."""
    rows = {}
    for dataset in datasets.values():
        means = {p: own_accuracy(dataset, p)["accuracy"].mean() for p in ("cv", "paper")}
        rows[dataset.attrs["title"]] = {**means, "difference": means["paper"] - means["cv"]}
    return pd.DataFrame(rows).T


def consistency_matrix(dataset: xr.Dataset, *, plain: bool = False) -> pd.DataFrame:
    """Cosine of two languages' vectors, mean over value concepts: corrected half cosines, or the paper's plain ones.

    The plain cosine is the maximum over layers, as in the paper. A cell is NaN where no concept has a value.
    """
    values = dataset.sel(concept=value_concepts(dataset))
    array = values["cosine"].max("layer").mean("concept") if plain else values["corrected"].mean("concept")
    return pd.DataFrame(array.values, index=dataset["source"].values, columns=dataset["target"].values)


def consistency_summary(datasets: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Per model: mean corrected cosine between languages with its 95 % interval, and the paper's plain one."""
    rows = {}
    for dataset in datasets.values():
        mean = dataset["corrected_mean"].sel(concept=value_concepts(dataset)).mean("concept").values
        low, high = interval(mean) if np.isfinite(mean).any() else (np.nan, np.nan)
        plain = consistency_matrix(dataset, plain=True).values
        off = ~np.eye(len(plain), dtype=bool)
        rows[dataset.attrs["title"]] = {
            "corrected": float(np.nanmedian(mean)) if np.isfinite(mean).any() else np.nan,
            "low": float(low), "high": float(high),
            "plain": float(plain[off].mean()),
            "reliability": float(dataset["reliability"].sel(concept=value_concepts(dataset)).mean()),
        }  # fmt: skip
    return pd.DataFrame(rows).T


def dominant_languages(dataset: xr.Dataset) -> np.ndarray:
    """Marks of the languages that dominate a model's training, `[language]`; English for a model xlv does not know."""
    preset = PRESETS.get(dataset.attrs["model"])
    return np.isin(dataset["source"].values, preset.dominant if preset else ("en",))


def linguistic_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Per kind of similarity: direct and split correlation with consistency, and what permuted labels give."""
    languages = [str(code) for code in dataset["source"].values]
    consistency, dominant = consistency_matrix(dataset).values, dominant_languages(dataset)
    rows = {}
    for kind in KINDS:
        similarity = linguistic_similarity(languages)[kind]
        found = correlation(consistency, similarity, dominant)
        chance = permutation_interval(consistency, similarity, dominant)
        rows[kind] = {
            "direct": found.direct, "split": found.split, "pairs": found.n_pairs,
            "chance_low": chance["direct"][0], "chance_high": chance["direct"][1],
        }  # fmt: skip
    return pd.DataFrame(rows).T


def resource_order(dataset: xr.Dataset) -> tuple[list[str], str]:
    """Languages from most to least resourced, and what says so: a published share or the measured competence."""
    languages = [str(code) for code in dataset["source"].values]
    preset = PRESETS.get(dataset.attrs["model"])
    if preset and preset.shares and all(code in preset.shares for code in languages):
        return sorted(languages, key=lambda code: -preset.shares[code]), "published share of pre-training data"
    if "neutral_nats" not in dataset:
        return languages, "order of the corpus"
    nats = dataset["neutral_nats"].sum("sentence").to_series()
    return list(nats.sort_values(kind="stable").index), "measured competence (nats on neutral sentences)"


def competence(dataset: xr.Dataset) -> pd.Series:
    """Nats of the neutral sentences relative to English: 1 is English, larger is less competent."""
    nats = dataset["neutral_nats"].sum("sentence").to_series()
    return nats / nats.get("en", nats.min())


def transfer_matrix(dataset: xr.Dataset, protocol: str = "cv", concept: str | None = None) -> pd.DataFrame:
    """Transferability T, source by target in resource order, of one concept or the mean over value concepts."""
    chosen = [concept] if concept else value_concepts(dataset)
    matrix = transferability(accuracy(dataset, protocol).sel(concept=chosen).mean("concept").values)
    order, _ = resource_order(dataset)
    frame = pd.DataFrame(matrix, index=dataset["source"].values, columns=dataset["target"].values)
    return frame.loc[order, order]


def transfer_summary(datasets: dict[str, xr.Dataset], protocol: str = "cv") -> pd.DataFrame:
    """Per model: U = U_A + U_D with 95 % intervals over pairs, QAP p-value, and mean transfer between languages."""
    rows = {}
    for dataset in datasets.values():
        chosen, order = _values(dataset), resource_order(dataset)[0]
        ranks = np.array([order.index(code) for code in dataset["source"].values])
        point = accuracy(dataset, protocol).values[chosen].mean(axis=0)
        samples = accuracy_resamples(dataset, protocol)[:, chosen].mean(axis=1)
        found, drawn = one_way(point, ranks), one_way(samples, ranks)
        row = {}
        for name, short in (("total", "U"), ("crossing", "U_A"), ("own", "U_D")):
            low, high = interval(getattr(drawn, name))
            row |= {short: float(getattr(found, name)), f"{short}_low": float(low), f"{short}_high": float(high)}
        off = ~np.eye(len(ranks), dtype=bool)
        rows[dataset.attrs["title"]] = {
            **row, "p": permutation_p(point, ranks), "mean_T": float(transferability(point)[off].mean()),
            "cross_accuracy": float(point[off].mean()), "own_accuracy": float(np.diagonal(point).mean()),
        }  # fmt: skip
    return pd.DataFrame(rows).T
