"""The numbers behind the figures of question 2, as tables."""

import warnings

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.distances import KINDS, linguistic_similarity
from xlv.corpus.languages import language
from xlv.questions.common import dominant_languages, value_concepts
from xlv.questions.consistency.linguistics import correlation, mrqap, permutation_interval
from xlv.statistics.resampling import holm, interval


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
            "low": float(low),
            "high": float(high),
            "plain": float(plain[off].mean()),
            "reliability": float(dataset["reliability"].sel(concept=value_concepts(dataset)).mean()),
        }
    return pd.DataFrame(rows).T


def linguistic_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Per kind of similarity: direct and split correlation with consistency, and what permuted labels give.

    Consistency is the pooled one; the attribute `kind` of the frame says which.
    """
    languages = [str(code) for code in dataset["source"].values]
    pooled, dominant = pooled_consistency(dataset), dominant_languages(dataset)
    consistency = pooled.to_numpy()
    rows = {}
    for kind in KINDS:
        similarity = linguistic_similarity(languages)[kind]
        found = correlation(consistency, similarity, dominant)
        chance = permutation_interval(consistency, similarity, dominant)
        rows[kind] = {
            "direct": found.direct,
            "split": found.split,
            "pairs": found.n_pairs,
            "chance_low": chance["direct"][0],
            "chance_high": chance["direct"][1],
        }
    frame = pd.DataFrame(rows).T
    frame.attrs = pooled.attrs
    return frame


def profile_table(dataset: xr.Dataset) -> pd.DataFrame:
    """By layer, mean over value concepts: corrected cosine between languages, half-vector cosine, and plain cosine.

    The first two are medians over splits that resample the pairs, with their 95 % interval in `…_low` and `…_high`.
    """
    chosen = dataset.sel(concept=value_concepts(dataset))
    off = ~np.eye(dataset.sizes["source"], dtype=bool)
    plain = chosen["cosine"].mean("concept").values[off].mean(axis=0)
    columns = {"plain": plain}
    for name, array in (("corrected", "corrected_profile"), ("half vectors", "reliability_profile")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a layer where no split has a corrected cosine
            low, middle, high = chosen[array].mean("concept").quantile([0.025, 0.5, 0.975], "halving").values
        columns |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(columns, index=dataset["layer"].values)


def pooled_consistency(dataset: xr.Dataset) -> pd.DataFrame:
    """The matrix that relationships are asked of: corrected cosines where all are known, else the plain ones.

    All comparisons with relationships of languages rest on it. The attribute `kind` of the frame says which.
    """
    known, pairs = known_pairs(dataset)
    frame = consistency_matrix(dataset, plain=known < pairs)
    frame.attrs["kind"] = "plain" if known < pairs else "corrected"
    return frame


def known_pairs(dataset: xr.Dataset) -> tuple[int, int]:
    """Pairs of languages whose corrected cosine is known for one value concept at least, and pairs altogether."""
    matrix = consistency_matrix(dataset).to_numpy()
    known = np.isfinite(matrix[np.triu_indices(len(matrix), k=1)])
    return int(known.sum()), len(known)


def covariates(dataset: xr.Dataset, recognition: xr.Dataset) -> dict[str, np.ndarray]:
    """What may make two languages alike without kinship: a shared script, and shared tokens `[language, language]`."""
    scripts = [language(str(code)).scripts[:1] for code in dataset["source"].values]
    shared = np.array([[float(one == two) for two in scripts] for one in scripts])
    return {"script": shared, "token overlap": recognition["token_overlap"].values.astype(float)}


def regression_table(dataset: xr.Dataset, recognition: xr.Dataset) -> pd.DataFrame:
    """MRQAP per kind of similarity, beside script and token overlap: standardised coefficient, p, p after Holm.

    `lowest` and `highest` are the coefficient's range when each language family is left out in turn, and
    `without` the family whose absence changes it most. The attribute `kind` says which cosines it is of.
    """
    codes = [str(code) for code in dataset["source"].values]
    pooled, beside = pooled_consistency(dataset), list(covariates(dataset, recognition).values())
    matrix, rows = pooled.to_numpy(), {}
    for kind, similarity in linguistic_similarity(codes).items():
        found = mrqap(matrix, similarity, beside)
        left = {
            family: mrqap(matrix[kept], similarity[kept], [b[kept] for b in beside], n_permutations=0).coefficient
            for family, kept in _without_families(codes).items()
        }
        least, most = min(left.values(), default=np.nan), max(left.values(), default=np.nan)
        changed = max(left, key=lambda f, left=left, all_=found.coefficient: abs(left[f] - all_), default="")
        rows[kind] = {
            "coefficient": found.coefficient,
            "p": found.p,
            "lowest": least,
            "highest": most,
            "without": changed,
            "pairs": found.n_pairs,
        }
    frame = pd.DataFrame(rows).T
    frame.insert(2, "p_holm", holm(frame["p"].astype(float).fillna(1.0).to_numpy()))
    frame = frame.infer_objects()
    frame.attrs = pooled.attrs
    return frame


def _without_families(codes: list[str]) -> dict[str, tuple]:
    """Indices of the languages that remain without each family of two members or more."""
    families = [language(code).family for code in codes]
    return {
        family: np.ix_(*[[i for i, own in enumerate(families) if own != family]] * 2)
        for family in dict.fromkeys(families)
        if 2 <= families.count(family) <= len(codes) - 4
    }


def tree(dataset: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """Average-linkage clustering of languages by 1 − cosine (scipy's linkage matrix), and the languages' codes."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    frame = pooled_consistency(dataset)
    distance = 1 - np.clip((frame.to_numpy() + frame.to_numpy().T) / 2, -1, 1)
    np.fill_diagonal(distance, 0)
    return linkage(squareform(distance, checks=False), method="average"), [str(code) for code in frame.index]


def kinship_gap(dataset: xr.Dataset) -> dict[str, float]:
    """Mean cosine of languages of one family and of different families, and the p-value of the gap by permutation."""
    matrix = pooled_consistency(dataset).to_numpy()
    families = np.array([language(str(code)).family for code in dataset["source"].values])
    same = families[:, None] == families[None, :]
    off = ~np.eye(len(families), dtype=bool)
    generator = np.random.default_rng(0)

    def gap(order: np.ndarray) -> float:
        shuffled = matrix[np.ix_(order, order)]
        return float(shuffled[same & off].mean() - shuffled[~same].mean())

    if not (same & off).any() or same.all():
        return {"same": np.nan, "different": np.nan, "p": np.nan}
    observed = gap(np.arange(len(families)))
    drawn = [gap(generator.permutation(len(families))) for _ in range(2000)]
    p = (1 + sum(value >= observed - 1e-12 for value in drawn)) / (1 + len(drawn))
    return {"same": float(matrix[same & off].mean()), "different": float(matrix[~same].mean()), "p": p}


def kinship_table(datasets: dict[str, xr.Dataset]) -> pd.DataFrame:
    """`kinship_gap` of each model."""
    return pd.DataFrame({dataset.attrs["title"]: kinship_gap(dataset) for dataset in datasets.values()}).T


def regression_tables(datasets: dict[str, xr.Dataset], recognition: dict[str, xr.Dataset]) -> dict[str, pd.DataFrame]:
    """`regression_table` of each model, by title."""
    return {ds.attrs["title"]: regression_table(ds, recognition[model]) for model, ds in datasets.items()}
