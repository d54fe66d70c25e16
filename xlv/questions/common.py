"""What all questions share: which concepts are values, the order of languages, accuracies with their replicates."""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.corpus.concepts import CONTROLS
from xlv.corpus.languages import language
from xlv.models.presets import PRESETS
from xlv.statistics.jackknife import Replicated, total
from xlv.statistics.resampling import bootstrap_weights, interval

SHORT_NAMES = {preset.title: preset.short for preset in PRESETS.values() if preset.short}  # by title


def value_concepts(dataset: xr.Dataset | xr.DataArray) -> list[str]:
    """Concepts of results that are values: all but the control concepts sentiment and tense."""
    names = [str(c) for c in dataset["concept"].values]
    return [c for c in names if c not in CONTROLS] or names


def over_values(array: xr.DataArray) -> xr.DataArray:
    """The mean of an array over value concepts."""
    return array.sel(concept=value_concepts(array)).mean("concept")


def own_cells(array: xr.DataArray) -> xr.DataArray:
    """Of an array with axes `source` and `target` each language's vector on its own texts, by `source`."""
    place = xr.DataArray(np.arange(array.sizes["source"]), dims="source")
    return array.isel(source=place, target=place).drop_vars("target")


def frame(array: xr.DataArray) -> pd.DataFrame:
    """An array of two axes as a frame, the first down."""
    return array.to_pandas().rename_axis(index=None, columns=None)


def apart(size: int) -> np.ndarray:
    """Marks `[source, target]` of the cells of two different languages."""
    return ~np.eye(size, dtype=bool)


def between(cells: np.ndarray) -> np.ndarray:
    """Mean of `[source, target, …]` over the cells of two different languages; NaN where there is one only."""
    found = cells[apart(len(cells))]
    return found.mean(axis=0) if len(found) else np.full(cells.shape[2:], np.nan)


def estimate(dataset: xr.Dataset, hits: xr.DataArray) -> Replicated:
    """Mean over value concepts of `hits` (dimensions `concept`, …, `pair`); NaN pairs are not counted.

    Each replicate leaves out one group of pairs, of the test alone: whatever read them is taken as given.
    """
    hits, means = hits.transpose("concept", ..., "pair"), []
    for name in (names := value_concepts(dataset)):
        groups, array = dataset["group"].sel(concept=name).values, hits.sel(concept=name).values
        known = np.unique(groups[np.isfinite(groups)])
        weights = np.concatenate([np.isfinite(groups)[None], np.isfinite(groups) & (groups != known[:, None])])
        tested = np.isfinite(array)
        sums = np.tensordot(weights.astype(float), np.where(tested, array, 0.0), (1, -1))
        counts = np.tensordot(weights.astype(float), tested.astype(float), (1, -1))
        mean = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0) / len(names)
        means.append(Replicated(mean[0], mean[1:]))
    return total(means)


def value_accuracy(dataset: xr.Dataset, protocol: str = "cv") -> Replicated:
    """Accuracy `[source, target]`, mean over value concepts; under `paper` the replicates take the vectors as given."""
    if protocol != "cv":
        return estimate(dataset, dataset["correct"].sel(protocol=protocol))
    names = value_concepts(dataset)
    return total([concept_accuracy(dataset, name).of(lambda a: a / len(names)) for name in names])


def concept_accuracy(dataset: xr.Dataset, concept: str, cohort: str = "all") -> Replicated:
    """Accuracy `[source, target]` of one concept under `cv`."""
    here = dataset.sel(cohort=cohort, concept=concept)
    replicates = here["replicate"].dropna("block", how="all").values
    return Replicated(here["cohort_accuracy"].values, replicates, here["surplus"].values)


def dominant_languages(dataset: xr.Dataset) -> np.ndarray:
    """Marks of the languages that dominate a model's training, `[language]`; English for a model xlv does not know."""
    preset = PRESETS.get(dataset.attrs["preset"])
    return np.isin(dataset["source"].values, preset.dominant if preset else ("en",))


def indo_european(dataset: xr.Dataset) -> np.ndarray:
    """Marks `[language]` of the Indo-European languages, which are rich ones by no accident."""
    return np.array([language(str(code)).family == "Indo-European" for code in dataset["source"].values])


def resource_order(dataset: xr.Dataset) -> tuple[list[str], str]:
    """Languages from most to least resourced, and what says so: a published share or the measured competence."""
    languages = [str(code) for code in dataset["source"].values]
    preset = PRESETS.get(dataset.attrs["preset"])
    if preset and preset.shares and all(code in preset.shares for code in languages):
        return sorted(languages, key=lambda code: -preset.shares[code]), "published share of pre-training data"
    if "neutral_nats" not in dataset:
        return languages, "order of the corpus"
    nats = dataset["neutral_nats"].sum("sentence").to_series()
    return list(nats.sort_values(kind="stable").index), "measured competence (nats on neutral sentences)"


def resource_ranks(dataset: xr.Dataset) -> np.ndarray:
    """Rank `[language]` of each language in the resource order, 0 the best resourced."""
    order, _ = resource_order(dataset)
    return np.array([order.index(str(code)) for code in dataset["source"].values])


def competence(dataset: xr.Dataset) -> pd.DataFrame:
    """Nats of the neutral sentences relative to English, with 95 % intervals over sentences; NaN without any.

    1 is English (without it, the language of fewest nats), larger is less competent. The sentences are parallel, so a
    resample draws the same ones in all languages.
    """
    languages = pd.Index(dataset["source"].values, name="source")
    if "neutral_nats" not in dataset:
        return pd.DataFrame(np.nan, index=languages, columns=["nats", "low", "high"])
    sentences = dataset["neutral_nats"].transpose("sentence", "source").values
    total = sentences.sum(axis=0)
    reference = languages.get_loc("en") if "en" in languages else int(total.argmin())
    resampled = bootstrap_weights(np.arange(len(sentences))) @ sentences
    low, high = interval(resampled / resampled[:, [reference]])
    return pd.DataFrame({"nats": total / total[reference], "low": low, "high": high}, index=languages)
