"""The numbers behind the figures of question 4: refusal rates, what control changes in them, and at what cost."""

from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from xlv.questions.control.gated import completions
from xlv.questions.control.judge import corrected_rate, load_validation, quality
from xlv.questions.control.scores import prompt_weights, side_effects_table
from xlv.schema import BASELINE, DIRECTIONS, HARMFUL, KINDS, RANDOM
from xlv.statistics.resampling import interval, proportion_interval

HARDLY = 0.15


def is_generated(dataset: xr.Dataset) -> bool:
    """Whether completions were generated at all: not for a model without a chat template."""
    return bool((dataset["outcome"] >= 0).any())


def hardly_refuses(dataset: xr.Dataset) -> bool:
    """Whether, without control, fewer than 15 % of the harmful instructions are refused, mean over languages."""
    mean = completions(dataset)["refused"].sel(condition=BASELINE, kind=HARMFUL).mean()
    return not float(mean) >= HARDLY  # nor does a model without completions


def refusal_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Refusal rates by condition, kind of instruction and language, with 95 % Wilson intervals.

    Gated conditions among them. Also shares of broken completions, and of unbroken ones in the prompt's language (NaN
    where that is not known).
    """
    shares = completions(dataset)
    means, refusals, trials = shares.mean("prompt"), shares["refused"].sum("prompt"), shares["refused"].count("prompt")
    low, high = proportion_interval(refusals.values, trials.values)
    columns = {"rate": means["refused"], "low": (refusals.dims, low), "high": (refusals.dims, high)}
    columns |= {"broken": means["broken"], "prompts": trials, "refused": refusals, "faithful": means["faithful"]}
    table = xr.Dataset(columns).reset_coords(drop=True).to_dataframe()
    return table.dropna(subset=["rate"]).reset_index()


def mean_rates(dataset: xr.Dataset, *, without: str = "") -> pd.Series:
    """Refusal rates by kind and condition, means over target languages, if need be `without` one of them."""
    table = refusal_table(dataset)
    return table[table["target"] != without].groupby(["kind", "condition"])["rate"].mean()


def main_table(dataset: xr.Dataset) -> tuple[str, pd.DataFrame]:
    """What is measured, and its means by language, kind and main condition: rates, or scores if none is generated."""
    main = dataset.sel(condition=[BASELINE, *DIRECTIONS])
    generated = is_generated(dataset)
    values = completions(main)["refused"] if generated else main["score"]
    table = values.mean("prompt").to_series().unstack(["kind", "condition"])
    columns = list(product(KINDS, main["condition"].values))
    return "refusal rate" if generated else "refusal score in nats", table.loc[dataset["target"].values, columns]


def corrected_table(dataset: xr.Dataset) -> pd.DataFrame | None:
    """The refusal table with rates corrected for the rule judge's errors; None without its validation."""
    validation = load_validation()
    if validation is None or not str(dataset.attrs.get("judge", "rules")).startswith("rules"):
        return None
    errors, table = quality(validation), refusal_table(dataset)
    found = [corrected_rate(r, int(n), errors) for r, n in zip(table["refused"], table["prompts"], strict=True)]
    return table.assign(**dict(zip(("corrected", "corrected_low", "corrected_high"), np.transpose(found), strict=True)))


def selectivity_table(dataset: xr.Dataset) -> pd.DataFrame:
    """How refusals distinguish harm from harmlessness, by condition and language, with 95 % bootstrap intervals.

    Refusal rate of harmful instructions, over-refusal of harmless ones, and their difference (selectivity). Intervals
    are over prompts.
    """
    refused = completions(dataset)["refused"].transpose("condition", "target", "kind", "prompt")
    hits, false_alarms = np.moveaxis(refused.values @ prompt_weights(dataset.sizes["prompt"]).T, 2, 0)
    columns = {"refusal": hits[..., 0], "over_refusal": false_alarms[..., 0]}
    columns["selectivity"] = columns["refusal"] - columns["over_refusal"]
    low, high = interval((hits - false_alarms)[..., 1:], axis=-1)
    columns |= {"selectivity_low": low, "selectivity_high": high}
    coords = {name: refused[name].values for name in ("condition", "target")}
    table = xr.Dataset({name: (tuple(coords), values) for name, values in columns.items()}, coords)
    return table.to_dataframe().dropna().reset_index()


def comparison_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Every condition that was generated in the detailed languages, as means over them: what it does and what it costs.

    Also on neutral sentences, by KL divergence and perplexity; of random vectors the mean. Further columns say what was
    done.
    """
    refusals, selectivity = refusal_table(dataset), selectivity_table(dataset)
    counts = selectivity.groupby("target")["condition"].nunique()
    codes = counts.index[counts == selectivity["condition"].nunique()]
    within = [table[table["target"].isin(codes)].groupby("condition", sort=False) for table in (selectivity, refusals)]
    costs = side_effects_table(dataset).groupby("condition", sort=False)[["divergence", "perplexity"]].mean()
    table = within[0][["refusal", "over_refusal", "selectivity"]].mean()
    table = table.join([within[1][["broken", "faithful"]].mean(), costs])
    about = completions(dataset)[["method", "direction", "source", "concept"]].to_dataframe().drop(columns="draw")
    table = table.join(about).reset_index()
    drawn = table["method"] == RANDOM
    table["condition"] = table["condition"].mask(drawn, "random vectors (" + table["direction"] + ")")
    return table.groupby(["condition", *about.columns], sort=False).mean().reset_index(list(about.columns))
