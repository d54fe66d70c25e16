"""The numbers behind the figures of question 4: detection of harm, refusal scores and side effects, as tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from xlv.schema import BASELINE, HARMFUL
from xlv.statistics.resampling import bootstrap_weights, interval


def prompt_weights(n_prompts: int) -> np.ndarray:
    """Weights of prompts in 1000 bootstrap resamples `[resample, prompt]`, below a first row that weighs all alike.

    The same weights for every condition, kind and language keep comparisons paired: harmful and harmless instructions
    are matched by row.
    """
    return np.concatenate([np.full((1, n_prompts), 1 / n_prompts), bootstrap_weights(np.arange(n_prompts), 1000)])


def auroc(harmful: np.ndarray, harmless: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability that a harmful instruction scores above a harmless one, ties one half, for each row of weights.

    `harmful`, `harmless`: scores `[prompt]`; `weights` `[resample, prompt]`. Independent of any threshold, so it
    compares conditions at every over-refusal at once; ½ is chance.
    """
    above = (harmful[:, None] > harmless[None]) + 0.5 * (harmful[:, None] == harmless[None])
    return ((weights @ above) * weights).sum(axis=1)


def select(dataset: xr.Dataset, **coordinates: str | Sequence[str]) -> list[str]:
    """Names of the conditions with some `method`, `direction`, `source` and `concept`: of each a value, or several."""
    chosen = np.ones(dataset.sizes["condition"], dtype=bool)
    for name, values in coordinates.items():
        chosen &= np.isin(dataset[name].values, values)
    return [str(name) for name in dataset["condition"].values[chosen]]


def _shifts(dataset: xr.Dataset) -> xr.DataArray:
    """Refusal scores of harmful instructions against no control, prompt by prompt."""
    score = dataset["score"].sel(kind=HARMFUL)
    return score - score.sel(condition=BASELINE)


def score_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Shift of the mean refusal score (nats) of harmful instructions against no control, condition by language."""
    return _shifts(dataset).mean("prompt").drop_sel(condition=BASELINE).to_pandas()


def side_effects_table(dataset: xr.Dataset) -> pd.DataFrame:
    """KL divergence (nats per token) and perplexity on neutral sentences, by condition and language."""
    tokens = dataset["neutral_tokens"].sum("sentence")
    predicted = (dataset["neutral_tokens"] - 1).sum("sentence")
    columns = {
        "divergence": dataset["neutral_divergence"].sum("sentence") / tokens.where(tokens > 0),
        "perplexity": np.exp(dataset["neutral_nats"].sum("sentence") / predicted.where(tokens > 0)),
    }
    table = xr.Dataset(columns).reset_coords(drop=True).rename(neutral_language="language")
    return table.to_dataframe().dropna().reset_index()


def leakage_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Value leakage in standard deviations over neutral sentences: direction and steered by affected concept."""
    return dataset["leakage"].to_series().unstack("affected", sort=False)


def choice_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Accuracy of the likelihood choice on so many `pairs` of the other concepts, by main condition.

    Its `change` is against no control, paired, with a 95 % bootstrap interval over pairs.
    """
    others = dataset["choice"].sel(affected=dataset["affected"] != dataset.attrs["concept"])
    hits = others.stack(pair=("affected", "choice_pair")).dropna("pair").transpose("chosen_under", "pair")
    samples = prompt_weights(hits.sizes["pair"]) @ (hits - hits.sel(chosen_under=BASELINE)).values.T
    columns = {"accuracy": hits.mean("pair").values, "change": samples[0], "pairs": hits.sizes["pair"]}
    columns["low"], columns["high"] = interval(samples[1:])
    return pd.DataFrame(columns, pd.Index(hits["chosen_under"].values, name="condition"))
