"""The numbers behind the figures of question 4, as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xlv.analysis.statistics import holm, proportion_interval
from xlv.control.names import BASELINE, BROKEN, OUTCOMES, REFUSAL

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
