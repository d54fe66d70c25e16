"""The numbers behind the figures of question 4: refusal rates, what control changes in them, and at what cost."""

from itertools import product

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import binomtest

from xlv.questions.control.judge import corrected_rate, load_validation, quality
from xlv.questions.control.scores import detection, prompt_weights, select, side_effects_table
from xlv.schema import BASELINE, BROKEN, DIRECTIONS, EFFECT, HARMFUL, HARMLESS, KINDS, OUTCOMES, RANDOM, REFUSAL
from xlv.statistics.resampling import holm, interval, proportion_interval

HARDLY = 0.15


def _marks(dataset: xr.Dataset, outcome: str) -> xr.DataArray:
    return dataset["outcome"] == OUTCOMES.index(outcome)


def is_generated(dataset: xr.Dataset) -> bool:
    """Whether completions were generated at all: not for a model without a chat template."""
    return bool((dataset["outcome"] >= 0).any())


def hardly_refuses(dataset: xr.Dataset) -> bool:
    """Whether, without control, fewer than 15 % of the harmful instructions are refused, mean over languages."""
    return float(_marks(dataset, REFUSAL).sel(condition=BASELINE, kind=HARMFUL).mean()) < HARDLY


def refusal_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Refusal rates by condition, kind of instruction and language, with 95 % Wilson intervals.

    Also shares of broken completions, and of unbroken ones in the prompt's language (NaN where that is not known).
    """
    refused, spoilt, trials = _marks(dataset, REFUSAL), _marks(dataset, BROKEN), (dataset["outcome"] >= 0).sum("prompt")
    refusals = refused.sum("prompt")
    low, high = proportion_interval(refusals.values, trials.values)
    known = dataset["faithful"].where((dataset["faithful"] >= 0) & ~spoilt)
    tested = trials.where(trials > 0)
    columns = {"rate": refusals / tested, "low": (refusals.dims, low), "high": (refusals.dims, high)}
    columns |= {"broken": spoilt.sum("prompt") / tested, "prompts": trials, "refused": refusals}
    columns |= {"faithful": known.mean("prompt")}
    table = xr.Dataset(columns).reset_coords(drop=True).to_dataframe()
    return table.dropna(subset=["rate"]).reset_index()


def mean_rates(dataset: xr.Dataset, *, without: str = "") -> pd.Series:
    """Refusal rates by kind and condition, means over target languages, if need be `without` one of them."""
    table = refusal_table(dataset)
    return table[table["target"] != without].groupby(["kind", "condition"])["rate"].mean()


def blind_languages(dataset: xr.Dataset) -> list[str]:
    """Languages in which, without control, harmless instructions are refused at least half as often as harmful ones."""
    table = refusal_table(dataset)
    rates = table[table["condition"] == BASELINE].pivot(index="target", columns="kind", values="rate")
    blind = (rates[HARMLESS] > 0) & (rates[HARMLESS] >= rates[HARMFUL] / 2)
    return [str(code) for code in rates.index[blind]]


def main_table(dataset: xr.Dataset) -> tuple[str, pd.DataFrame]:
    """What is measured, and its means by language, kind and main condition: rates, or scores if none is generated."""
    main = dataset.sel(condition=[BASELINE, *DIRECTIONS])
    generated = is_generated(dataset)
    values = _marks(main, REFUSAL) if generated else main["score"]
    table = values.mean("prompt").to_series().unstack(["kind", "condition"])
    columns = list(product(KINDS, main["condition"].values))
    return "refusal rate" if generated else "refusal score in nats", table.loc[dataset["target"].values, columns]


def corrected_table(dataset: xr.Dataset) -> pd.DataFrame | None:
    """The refusal table with rates corrected for the rule judge's errors; None without its validation."""
    validation = load_validation()
    if validation is None or not str(dataset.attrs.get("judge", "rules")).startswith("rules"):
        return None
    errors, table = quality(validation), refusal_table(dataset)
    found = [corrected_rate(int(r), int(n), errors) for r, n in zip(table["refused"], table["prompts"], strict=True)]
    return table.assign(**dict(zip(("corrected", "corrected_low", "corrected_high"), np.transpose(found), strict=True)))


def refusal_changes(dataset: xr.Dataset, direction: str) -> pd.DataFrame:
    """What control in a direction does to refusals of harmful instructions, a row per language.

    before        refusal rate without control
    change        of the refusal rate, with its 95 % bootstrap interval over prompts, paired: `low` and `high`
    gained, lost  instructions refused only with control, and only without; `p` of the exact McNemar test, `p_holm`
                  adjusted over languages
    random        change of the rate under random vectors of equal dose, their mean; NaN where none was generated with
    broken        change of the share of broken completions
    """
    refused, spoilt = (_marks(dataset, outcome).sel(kind=HARMFUL) for outcome in (REFUSAL, BROKEN))
    before, after = (refused.sel(condition=name).values for name in (BASELINE, direction))
    gained, lost = (after & ~before).sum(axis=1), (before & ~after).sum(axis=1)
    low, high = interval(prompt_weights(before.shape[1])[1:] @ (after.astype(float) - before).T)
    p = [binomtest(int(g), int(g + k)).pvalue if g + k else 1.0 for g, k in zip(gained, lost, strict=True)]
    names = select(dataset, method=RANDOM, direction=direction)
    generated = (dataset["outcome"].sel(kind=HARMFUL, condition=names) >= 0).all("prompt")
    noise = refused.sel(condition=names).mean("prompt") - before.mean(axis=1)
    broken = spoilt.sel(condition=direction).mean("prompt") - spoilt.sel(condition=BASELINE).mean("prompt")
    columns = {"before": before.mean(axis=1), "change": (gained - lost) / before.shape[1], "low": low, "high": high}
    columns |= {"gained": gained, "lost": lost, "p": p, "p_holm": holm(np.array(p))}
    columns |= {"random": noise.where(generated).mean("condition").values, "broken": broken.values}
    return pd.DataFrame(columns, index=pd.Index(dataset["target"].values, name="language"))


def moves(dataset: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Per direction, `refusal_changes` with every change in the direction asked for, as claim 8 is judged by."""
    result = {}
    for direction, sign in EFFECT.items():
        table = refusal_changes(dataset, direction)
        table[["change", "random"]] *= sign
        table[["low", "high"]] = sign * table[["low", "high"][::sign]].to_numpy()
        result[direction] = table
    return result


def selectivity_table(dataset: xr.Dataset) -> pd.DataFrame:
    """How refusals distinguish harm from harmlessness, by condition and language, with 95 % bootstrap intervals.

    Refusal rate of harmful instructions, over-refusal of harmless ones, their difference (selectivity), d′ and the
    criterion (log-linear correction). Intervals are over prompts.
    """
    outcome, trials = dataset["outcome"].transpose("condition", "target", "kind", "prompt"), dataset.sizes["prompt"]
    refused = (outcome == OUTCOMES.index(REFUSAL)).values.astype(float)
    hits, false_alarms = np.moveaxis(np.apply_along_axis(prompt_weights(trials).dot, -1, refused), 2, 0)
    d, criterion = detection(hits, false_alarms, trials)
    columns = {"refusal": hits[..., 0], "over_refusal": false_alarms[..., 0]}
    for name, drawn in (("selectivity", hits - false_alarms), ("d", d), ("criterion", criterion)):
        low, high = interval(drawn[..., 1:], axis=-1)
        columns |= {name: drawn[..., 0], f"{name}_low": low, f"{name}_high": high}
    generated = (outcome >= 0).all(("kind", "prompt")).reset_coords(drop=True)
    table = xr.Dataset({name: (generated.dims, values) for name, values in columns.items()}, generated.coords)
    return table.where(generated).to_dataframe().dropna().reset_index()


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
    about = dataset[["method", "direction", "source", "concept"]].to_dataframe().drop(columns="draw")
    table = table.join(about).reset_index()
    drawn = table["method"] == RANDOM
    table["condition"] = table["condition"].mask(drawn, "random vectors (" + table["direction"] + ")")
    return table.groupby(["condition", *about.columns], sort=False).mean().reset_index(list(about.columns))
