"""The numbers behind the figures of question 2, as tables."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.languages import language, linguistic_similarity
from xlv.questions.common import apart, between, dominant_languages, frame, over_values, value_concepts
from xlv.questions.consistency import kinship
from xlv.questions.consistency.cosines import of_moments
from xlv.questions.consistency.linguistics import composite_similarity, correlation
from xlv.questions.consistency.moments import Moments, read_moments
from xlv.results import Results
from xlv.statistics.resampling import permuted

MANY = 10  # readable languages that relationships take, as for claims 4 and 7
KINDS = "pairwise consistency", "plain cosine"  # that comparisons with relationships of languages rest on


def moments_by_concept(dataset: xr.Dataset) -> dict[str, Moments]:
    """Moments of each value concept, of all pairs."""
    parts = [dataset[name].sel(cohort="all") for name in ("moment", "moment_replicate", "moment_surplus")]
    return {name: read_moments(*(part.sel(concept=name).values for part in parts)) for name in value_concepts(dataset)}


def consistency_table(datasets: Results) -> pd.DataFrame:
    """Per model and value concept: ρ and ρ of whitened vectors with their 95 % intervals, and the plain cosine.

    `readable` is the number of languages that can be read, in the half that reads fewer.
    """
    rows = {}
    for dataset in datasets.values():
        for name, found in moments_by_concept(dataset).items():
            here, alike = dataset.sel(cohort="all", concept=name), of_moments(found)
            row = {"rho": alike.rho, "rho_low": alike.low, "rho_high": alike.high}
            row["readable"] = np.isfinite(found.weights).sum(axis=1).min()
            white = float(here["whitened_rho"]) if np.isfinite(alike.rho) else np.nan
            error = 1.96 * float(here["whitened_rho_error"])
            row |= {"whitened": white, "whitened_low": white - error, "whitened_high": white + error}
            rows[dataset.attrs["title"], name] = row | {"plain": between(here["cosine"].max("layer").values)}
    return pd.DataFrame(rows, dtype=float).T.astype({"readable": int})


def consistency_matrix(dataset: xr.Dataset, *, plain: bool = False) -> pd.DataFrame:
    """How alike two languages' vectors are, mean over value concepts.

    Pairwise consistency over the concepts that are readable in both languages, NaN where none is; or the paper's plain
    cosine, largest over layers.
    """
    if plain:
        return frame(over_values(dataset["cosine"].max("layer")))
    return _pairwise(dataset, moments_by_concept(dataset).values())


def _pairwise(dataset: xr.Dataset, found: Iterable[Moments]) -> pd.DataFrame:
    """Pairwise consistency, mean over the moments of some concepts, each where it is readable."""
    codes = [str(code) for code in dataset["source"].values]
    each = [pd.DataFrame(of_moments(one).pairwise, codes, codes) for one in found]
    return pd.concat(each or [pd.DataFrame(np.nan, codes, codes)]).groupby(level=0, sort=False).mean()


def relationships(dataset: xr.Dataset) -> pd.DataFrame:
    """The matrix that relationships are asked of; the attribute `kind` of the frame says which.

    Pairwise consistency over the concepts that many languages read, among the languages whose cells are all known; the
    plain cosine if these are fewer than MANY.
    """
    found = _pairwise(dataset, (one for one in moments_by_concept(dataset).values() if one.readable.sum() >= MANY))
    while found.isna().any(axis=None):
        unknown = found.isna().sum().idxmax()
        found = found.drop(index=unknown, columns=unknown)
    kind = KINDS[len(found) < MANY]
    found = found if kind == KINDS[0] else consistency_matrix(dataset, plain=True)
    found.attrs["kind"] = kind
    return found


def linguistic_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Per kind of similarity: direct and split correlation with the plain cosine, and what permuted labels give."""
    plain, dominant, rows = consistency_matrix(dataset, plain=True), dominant_languages(dataset), {}
    for kind, similarity in linguistic_similarity(list(plain.index)).items():
        found = correlation(plain.to_numpy(), similarity, dominant)
        ends = dict(zip(("chance_low", "chance_high"), found.chance, strict=True))
        rows[kind] = {"direct": found.direct, "split": found.split, "pairs": found.n_pairs, **ends}
    return pd.DataFrame(rows, dtype=float).T


def covariates(recognition: xr.Dataset) -> dict[str, np.ndarray]:
    """What may make two languages alike without kinship: a shared script, and shared tokens `[language, language]`."""
    scripts = [language(str(code)).scripts[:1] for code in recognition["source"].values]
    shared = np.array([[float(one == two) for two in scripts] for one in scripts])
    return {"script": shared, "token overlap": recognition["token_overlap"].values.astype(float)}


def related_table(datasets: Results, recognition: Results) -> pd.DataFrame:
    """Per model and concept that many languages read: consistency gained per standard deviation of similarity.

    The regression has an effect of each language; 95 % intervals over situations, p by permuted languages. `alone`, and
    beside each of the `covariates`.
    """
    rows = {}
    for model, dataset in datasets.items():
        similarity = composite_similarity([str(code) for code in dataset["source"].values])
        for name, found in moments_by_concept(dataset).items():
            if found.readable.sum() < MANY or np.isnan(similarity[found.readable][:, found.readable]).any():
                continue
            rows[dataset.attrs["title"], name] = row = {}
            for beside, other in {"alone": None, **covariates(recognition[model])}.items():
                slope, p = kinship.regression(found, similarity, other)
                low, high = slope.interval()
                row |= {beside: slope.value, f"{beside}_low": low, f"{beside}_high": high, f"p, {beside}": p}
    return pd.DataFrame(rows, dtype=float).T


def profile_table(dataset: xr.Dataset) -> pd.DataFrame:
    """By layer the mean plain cosine, and ρ of each value concept with its 95 % interval, where it was measured."""
    table = pd.DataFrame({"plain": between(over_values(dataset["cosine"]).values)}, index=dataset["layer"].values)
    for name in value_concepts(dataset):
        rho, error = (dataset[each].sel(concept=name).values for each in ("rho_by_layer", "rho_error_by_layer"))
        table = table.assign(**{name: rho, f"{name}_low": rho - 1.96 * error, f"{name}_high": rho + 1.96 * error})
    return table


def tree(alike: pd.DataFrame) -> np.ndarray:
    """Average-linkage clustering of the languages of `relationships` by 1 − consistency (scipy's linkage matrix)."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    distance = 1 - np.clip((alike + alike.T) / 2, -1, 1).to_numpy()
    np.fill_diagonal(distance, 0)
    return linkage(squareform(distance, checks=False), method="average")


def kinship_table(datasets: Results) -> pd.DataFrame:
    """Per model: mean of `relationships` within and between families, and the gap's p-value by permuted languages."""
    rows = {}
    for dataset in datasets.values():
        alike = relationships(dataset)
        families, found = np.array([language(str(code)).family for code in alike.index]), alike.to_numpy()
        same, row = families[:, None] == families, {"of": alike.attrs["kind"], "languages": len(alike)}
        kin = same & apart(len(alike))
        if kin.any() and not same.all():
            drawn = found[(orders := permuted(len(alike), 2000))[:, :, None], orders[:, None, :]]
            gaps = drawn[:, kin].mean(axis=1) - drawn[:, ~same].mean(axis=1)
            row |= {"same": found[kin].mean(), "different": found[~same].mean(), "p": (gaps >= gaps[0] - 1e-12).mean()}
        rows[dataset.attrs["title"]] = row
    return pd.DataFrame(rows, index=["of", "languages", "same", "different", "p"]).T
