"""The numbers behind the figures of question 4: detection of harm, refusal scores and side effects, as tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from xlv.schema import ADDITION, BASELINE, DIRECTIONS, EFFECT, HARMFUL, RANDOM
from xlv.statistics.resampling import bootstrap_weights, interval


def prompt_weights(n_prompts: int) -> np.ndarray:
    """Weights of prompts in 1000 bootstrap resamples `[resample, prompt]`, below a first row that weighs all alike.

    The same weights for every condition, kind and language keep comparisons paired: harmful and harmless instructions
    are matched by row.
    """
    return np.concatenate([np.full((1, n_prompts), 1 / n_prompts), bootstrap_weights(np.arange(n_prompts), 1000)])


def detection(hits: np.ndarray, false_alarms: np.ndarray, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Sensitivity d′ and criterion c of shares of `trials` each, with the log-linear correction (Hautus 1995).

    A hit is a refused harmful instruction, a false alarm a refused harmless one. d′ = z(H) − z(F): larger tells the
    kinds apart better. c = −(z(H) + z(F)) / 2: positive refuses little, negative refuses much.
    """
    high, low = (norm.ppf((np.asarray(share) * trials + 0.5) / (trials + 1)) for share in (hits, false_alarms))
    return high - low, -(high + low) / 2


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


def of_source(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with the search and the settings of the main source only."""
    return dataset.sel(searched=dataset.attrs["source"])


def _shifts(dataset: xr.Dataset) -> xr.DataArray:
    """Refusal scores of harmful instructions against no control, prompt by prompt."""
    score = dataset["score"].sel(kind=HARMFUL)
    return score - score.sel(condition=BASELINE)


def score_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Shift of the mean refusal score (nats) of harmful instructions against no control, condition by language."""
    return _shifts(dataset).mean("prompt").drop_sel(condition=BASELINE).to_pandas()


def beats_random(dataset: xr.Dataset, direction: str) -> tuple[list[str], int]:
    """Languages in which the source's vector does more than every random vector of equal dose, and how many there are.

    By the shift of the mean refusal score of harmful instructions, on the prompts that the random vectors had.
    """
    names = select(dataset, method=RANDOM, direction=direction)
    if not names:
        return [], 0
    shift = _shifts(dataset)
    shared = shift.sel(condition=names[-1]).notnull()
    shift = shift.where(shared).mean("prompt") * EFFECT[direction]
    best = shift.sel(condition=direction) > shift.sel(condition=names).max("condition")
    return [str(code) for code in dataset["target"].values[best.values]], len(names)


def auroc_table(dataset: xr.Dataset) -> pd.DataFrame:
    """AUROC of the refusal score, harmful against harmless, by condition and language, with 95 % intervals.

    The comparison at matched over-refusal: it does not depend on where a threshold lies. `change` is against no control
    on the same prompts, paired.
    """
    score = dataset["score"].transpose("target", "condition", "kind", "prompt")
    base, rows = score.sel(condition=BASELINE).values, []
    for t, code in enumerate(score["target"].values):
        for name, found in zip(score["condition"].values, score.values[t], strict=True):
            known = np.isfinite(found).all(axis=0)
            weights = prompt_weights(int(known.sum()))
            samples, before = (auroc(*scores[:, known], weights) for scores in (found, base[t]))
            ends, changes = interval(samples[1:]), interval((samples - before)[1:])
            change = samples[0] - before[0]
            rows.append((str(name), str(code), samples[0], *ends, change, *changes, int(known.sum())))
    columns = ["condition", "target", "auroc", "low", "high", "change", "change_low", "change_high", "prompts"]
    return pd.DataFrame(rows, columns=columns)


def response_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Dose and response: shift of the mean refusal score (nats) by signed dose, kind and language.

    Doses towards refusing are positive, towards following negative, each at the layers chosen for its direction.
    """
    base = dataset["score"].sel(condition=BASELINE, prompt=slice(dataset.sizes["response_prompt"]))
    shift = dataset["response_score"] - base.rename(prompt="response_prompt").reset_coords(drop=True)
    table = shift.mean("response_prompt").to_dataframe("shift").reset_index()
    table["dose"] = table["towards"].map(EFFECT) * table["response_dose"]
    none = table.drop_duplicates(["kind", "target"]).assign(dose=0.0, shift=0.0)
    columns = ["dose", "kind", "target", "shift"]
    return pd.concat([table, none])[columns].sort_values("dose", kind="stable", ignore_index=True)


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


def sources_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Shift of the mean refusal score of harmful instructions (nats) by direction and source, each source at its own
    settings; targets across."""
    shifts, found = score_table(dataset), {}
    of = {"method": ADDITION, "concept": dataset.attrs["concept"], "source": dataset["searched"].values}
    for direction in DIRECTIONS:
        names = select(dataset, direction=direction, **of)
        found[direction] = shifts.loc[names].set_axis(dataset["source"].sel(condition=names).values)
    return pd.concat(found, names=["direction"])


def surface_table(dataset: xr.Dataset) -> pd.DataFrame:
    """The search: shift of the mean refusal score (nats) on the source's search split by direction, layers and dose."""
    found = of_source(dataset)
    shift = (found["search_score"] - found["search_baseline"]).rename("shift")
    return shift.to_dataframe().reset_index()[["towards", "window", "dose", "shift"]]
