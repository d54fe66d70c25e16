"""The numbers behind the figures of question 2, as tables."""

import warnings

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language, linguistic_similarity
from xlv.questions.common import apart, between, dominant_languages, frame, over_values
from xlv.questions.consistency.linguistics import correlation, mrqap
from xlv.results import Results
from xlv.statistics.resampling import holm, interval


def consistency_matrix(dataset: xr.Dataset, *, plain: bool = False) -> pd.DataFrame:
    """Cosine of two languages' vectors, mean over value concepts: corrected half cosines, or the paper's plain ones.

    The plain cosine is the maximum over layers, as in the paper. A cell is NaN where no concept has a value.
    """
    return frame(over_values(dataset["cosine"].max("layer") if plain else dataset["corrected"]))


def mean_corrected(dataset: xr.Dataset) -> np.ndarray:
    """Mean corrected cosine between languages, mean over value concepts, `[split]`: what every interval of it is of."""
    return over_values(dataset["corrected_mean"]).values


def reliability(dataset: xr.Dataset) -> np.ndarray:
    """Cosine `[language]` of the vectors of two halves of a language's pairs, mean over value concepts."""
    return over_values(dataset["reliability"]).values


def consistency_summary(datasets: Results) -> pd.DataFrame:
    """Per model: mean corrected cosine between languages with its 95 % interval, and the paper's plain one."""
    rows = {}
    for dataset in datasets.values():
        mean, plain = mean_corrected(dataset), consistency_matrix(dataset, plain=True).to_numpy()
        low, high = interval(mean)
        middle = np.nanmedian(mean) if np.isfinite(mean).any() else np.nan
        row = {"corrected": middle, "low": low, "high": high, "plain": between(plain)}
        rows[dataset.attrs["title"]] = row | {"reliability": reliability(dataset).mean()}
    return pd.DataFrame(rows, dtype=float).T


def known_pairs(dataset: xr.Dataset) -> tuple[int, int]:
    """Pairs of languages whose corrected cosine is known for one value concept at least, and pairs altogether."""
    found = consistency_matrix(dataset).to_numpy()
    known = np.isfinite(found[np.triu_indices(len(found), k=1)])
    return int(known.sum()), len(known)


def pooled_consistency(dataset: xr.Dataset) -> pd.DataFrame:
    """The matrix that relationships are asked of: corrected cosines where all are known, else the plain ones.

    All comparisons with relationships of languages rest on it. The attribute `kind` of the frame says which.
    """
    known, pairs = known_pairs(dataset)
    pooled = consistency_matrix(dataset, plain=known < pairs)
    pooled.attrs["kind"] = "plain" if known < pairs else "corrected"
    return pooled


def linguistic_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Per kind of similarity: direct and split correlation with `pooled_consistency`, and what permuted labels give."""
    pooled, dominant = pooled_consistency(dataset), dominant_languages(dataset)
    rows = {}
    for kind, similarity in linguistic_similarity(list(pooled.index)).items():
        found = correlation(pooled.to_numpy(), similarity, dominant)
        ends = dict(zip(("chance_low", "chance_high"), found.chance, strict=True))
        rows[kind] = {"direct": found.direct, "split": found.split, "pairs": found.n_pairs, **ends}
    table = pd.DataFrame(rows, dtype=float).T
    table.attrs = pooled.attrs
    return table


def profile_table(dataset: xr.Dataset) -> pd.DataFrame:
    """By layer, mean over value concepts: corrected cosine between languages, half-vector cosine, and plain cosine.

    The first two are medians over splits that resample the pairs, with their 95 % interval in `…_low` and `…_high`.
    """
    columns = {"plain": between(over_values(dataset["cosine"]).values)}
    for name, array in (("corrected", "corrected_profile"), ("half vectors", "reliability_profile")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a layer where no split has a corrected cosine
            low, middle, high = over_values(dataset[array]).quantile([0.025, 0.5, 0.975], "halving").values
        columns |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(columns, index=dataset["layer"].values)


def covariates(recognition: xr.Dataset) -> dict[str, np.ndarray]:
    """What may make two languages alike without kinship: a shared script, and shared tokens `[language, language]`."""
    scripts = [language(str(code)).scripts[:1] for code in recognition["source"].values]
    shared = np.array([[float(one == two) for two in scripts] for one in scripts])
    return {"script": shared, "token overlap": recognition["token_overlap"].values.astype(float)}


def regression_table(dataset: xr.Dataset, recognition: xr.Dataset) -> pd.DataFrame:
    """MRQAP per kind of similarity, beside script and token overlap: standardised coefficient, p, p after Holm.

    `lowest` and `highest` are the coefficient's range when each language family is left out in turn, and
    `without` the family whose absence changes it most. The attribute `kind` says which cosines it is of.
    """
    pooled, beside = pooled_consistency(dataset), list(covariates(recognition).values())
    found, families, rows = pooled.to_numpy(), _families(pooled), {}
    for kind, similarity in linguistic_similarity(list(pooled.index)).items():
        whole, left = mrqap(found, similarity, beside), {}
        for family, size in families.value_counts(sort=False).items():
            if 2 <= size <= len(families) - 4:
                kept = np.ix_(families != family, families != family)
                without = mrqap(found[kept], similarity[kept], [b[kept] for b in beside], n_permutations=0)
                if np.isfinite(without.coefficient):
                    left[family] = without.coefficient
        changes = {family: abs(coefficient - whole.coefficient) for family, coefficient in left.items()}
        ends = {"lowest": min(left.values(), default=np.nan), "highest": max(left.values(), default=np.nan)}
        most = max(changes, key=changes.get, default="")
        rows[kind] = {"coefficient": whole.coefficient, "p": whole.p, **ends, "without": most, "pairs": whole.n_pairs}
    table = pd.DataFrame(rows).T.infer_objects()
    table.insert(2, "p_holm", holm(table["p"].astype(float).fillna(1.0).to_numpy()))
    table.attrs = pooled.attrs
    return table


def _families(pooled: pd.DataFrame) -> pd.Series:
    return pd.Series([language(str(code)).family for code in pooled.index])


def regression_tables(datasets: Results, recognition: Results) -> dict[str, pd.DataFrame]:
    """`regression_table` of each model, by title."""
    return {ds.attrs["title"]: regression_table(ds, recognition[model]) for model, ds in datasets.items()}


def tree(dataset: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """Average-linkage clustering of languages by 1 − cosine (scipy's linkage matrix), and the languages' codes."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    pooled = pooled_consistency(dataset)
    distance = 1 - np.clip((pooled + pooled.T) / 2, -1, 1).to_numpy()
    np.fill_diagonal(distance, 0)
    return linkage(squareform(distance, checks=False), method="average"), [str(code) for code in pooled.index]


def kinship_table(datasets: Results) -> pd.DataFrame:
    """Per model: mean cosine of languages of one family and of different ones, and the gap's p-value by permutation."""
    return pd.DataFrame({ds.attrs["title"]: _kinship_gap(pooled_consistency(ds)) for ds in datasets.values()}).T


def _kinship_gap(pooled: pd.DataFrame) -> dict[str, float]:
    found, families = pooled.to_numpy(), _families(pooled).to_numpy()
    same = families[:, None] == families[None, :]
    kin = same & apart(len(families))
    if not kin.any() or same.all():
        return dict.fromkeys(("same", "different", "p"), np.nan)

    def gap(order: np.ndarray) -> float:
        shuffled = found[np.ix_(order, order)]
        return float(shuffled[kin].mean() - shuffled[~same].mean())

    generator, observed = np.random.default_rng(0), gap(np.arange(len(families)))
    reached = [gap(generator.permutation(len(families))) >= observed - 1e-12 for _ in range(2000)]
    return {"same": found[kin].mean(), "different": found[~same].mean(), "p": (1 + sum(reached)) / (1 + len(reached))}
