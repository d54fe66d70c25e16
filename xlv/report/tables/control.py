"""The numbers behind the figures of question 4, as tables."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import xarray as xr

from xlv.analysis.claims import Moved
from xlv.analysis.statistics import bootstrap_weights, holm, interval, proportion_interval
from xlv.control.names import BASELINE, BROKEN, DIRECTIONS, OUTCOMES, REFUSAL, REFUSING

OUTCOME_REFUSAL, OUTCOME_BROKEN = OUTCOMES.index(REFUSAL), OUTCOMES.index(BROKEN)


def refusal_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Refusal rates by condition, kind of instruction and language, with 95 % Wilson intervals and broken shares."""
    outcome = dataset["outcome"]
    generated = outcome.where(outcome >= 0)
    trials = generated.notnull().sum("prompt")
    refused = (outcome == OUTCOME_REFUSAL).sum("prompt")
    broken = (outcome == OUTCOME_BROKEN).sum("prompt")
    low, high = proportion_interval(refused.values, trials.values)
    table = xr.Dataset(
        {
            "rate": refused / trials.where(trials > 0),
            "low": (refused.dims, low),
            "high": (refused.dims, high),
            "broken": broken / trials.where(trials > 0),
            "prompts": trials,
        }
    )
    return table.to_dataframe().dropna().reset_index()


def control_tests(dataset: xr.Dataset, direction: str) -> pd.DataFrame:
    """Exact McNemar test a language of refusals of harmful instructions with control against without; Holm-adjusted."""
    from scipy.stats import binomtest

    outcome = dataset["outcome"].sel(kind="harmful")
    before, after = (outcome.sel(condition=c).values == OUTCOME_REFUSAL for c in (BASELINE, direction))
    gained, lost = (after & ~before).sum(axis=1), (before & ~after).sum(axis=1)
    p = [binomtest(int(g), int(g + k)).pvalue if g + k else 1.0 for g, k in zip(gained, lost, strict=True)]
    return pd.DataFrame(
        {
            "gained": gained,
            "lost": lost,
            "change": (gained - lost) / before.shape[1],
            "p": p,
            "p_holm": holm(np.array(p)),
        },
        index=pd.Index(dataset["target"].values, name="language"),
    )


def score_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Shift of the mean refusal score (nats) of harmful instructions against no control, condition by language."""
    score = dataset["score"].sel(kind="harmful").mean("prompt")
    return (score - score.sel(condition=BASELINE)).drop_sel(condition=BASELINE).to_pandas()


def moves(dataset: xr.Dataset) -> dict[str, Moved]:
    """Per direction, what control does to refusals of harmful instructions in each language, in its own direction."""
    harmful = dataset["outcome"].sel(kind="harmful")
    refused, broken = harmful == OUTCOME_REFUSAL, harmful == OUTCOME_BROKEN
    base = refused.sel(condition=BASELINE).values
    result = {}
    for direction in DIRECTIONS:
        sign = 1.0 if direction == REFUSING else -1.0
        change = sign * (refused.sel(condition=direction).values.astype(float) - base)
        low, high = interval(np.einsum("rp,lp->rl", bootstrap_weights(np.arange(base.shape[1]), 2000), change))
        names = [str(n) for n in dataset["condition"].values if str(n).startswith("random") and direction in str(n)]
        generated = (harmful.sel(condition=names) >= 0).all("prompt").values
        noise = sign * (refused.sel(condition=names).mean("prompt").values - base.mean(axis=1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # languages in which no random vector was generated with
            random = np.nanmean(np.where(generated, noise, np.nan), axis=0)
        spoilt = broken.sel(condition=direction).mean("prompt") - broken.sel(condition=BASELINE).mean("prompt")
        result[direction] = Moved(
            baseline=base.mean(axis=1), change=change.mean(axis=1), low=low, high=high,
            p=control_tests(dataset, direction)["p"].to_numpy(),
            random=random if names else np.full(len(base), np.nan), broken=spoilt.values,
        )  # fmt: skip
    return result
