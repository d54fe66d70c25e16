"""The numbers behind the figures of question 4: refusal rates, as tables."""

import warnings
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from xlv.control.names import BASELINE, BROKEN, DIRECTIONS, KINDS, OUTCOMES, RANDOM, REFUSAL, REFUSING
from xlv.corpus.languages import labels
from xlv.questions.claims.verdicts import Moved
from xlv.questions.control.detection import detection, prompt_weights
from xlv.questions.control.judge import corrected_rate, load_validation, quality, quality_table
from xlv.questions.control.scores import names_by, side_effects_table
from xlv.report.formats import plain, unbroken
from xlv.report.titles import told_apart
from xlv.statistics.resampling import bootstrap_weights, holm, interval, proportion_interval

OUTCOME_REFUSAL, OUTCOME_BROKEN = OUTCOMES.index(REFUSAL), OUTCOMES.index(BROKEN)
HARDLY = 0.15
COMPARED = {  # columns of the comparison, as a reader sees them
    "refusal": "refused",
    "over_refusal": "over-refused",
    "selectivity": "selec\N{SOFT HYPHEN}tivity",
    "broken": "broken",
    "faithful": "in its language",
    "divergence": "nats",
    "perplexity": "perplexity",
}


def is_generated(dataset: xr.Dataset) -> bool:
    """Whether completions were generated at all: not for a model without a chat template."""
    return bool((dataset["outcome"] >= 0).any())


def hardly_refuses(dataset: xr.Dataset) -> bool:
    """Whether, without control, fewer than 15 % of the harmful instructions are refused, mean over languages."""
    refused = dataset["outcome"].sel(condition=BASELINE, kind=KINDS[0]) == OUTCOME_REFUSAL
    return float(refused.mean()) < HARDLY


def refusal_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Refusal rates by condition, kind of instruction and language, with 95 % Wilson intervals.

    Also shares of broken completions, and of unbroken ones in the prompt's language (NaN where it cannot be told).
    """
    outcome = dataset["outcome"]
    trials, refused, broken = (
        ((outcome >= 0) if k is None else (outcome == k)).sum("prompt") for k in (None, OUTCOME_REFUSAL, OUTCOME_BROKEN)
    )
    low, high = proportion_interval(refused.values, trials.values)
    columns = {
        "rate": refused / trials.where(trials > 0),
        "low": (refused.dims, low),
        "high": (refused.dims, high),
        "broken": broken / trials.where(trials > 0),
        "prompts": trials,
        "refused": refused,
    }
    told = dataset["faithful"].where((dataset["faithful"] >= 0) & (outcome != OUTCOME_BROKEN))
    columns["faithful"] = told.mean("prompt")
    table = xr.Dataset(columns).drop_vars(["means", "effect"]).to_dataframe()
    return table.dropna(subset=["rate"]).reset_index()


def main_table(dataset: xr.Dataset) -> tuple[str, pd.DataFrame]:
    """What is measured, and its means by language, kind and main condition: rates, or scores if none is generated."""
    main = dataset.sel(condition=[BASELINE, *DIRECTIONS])
    generated = is_generated(dataset)
    values = (main["outcome"] == OUTCOME_REFUSAL) if generated else main["score"]
    table = values.mean("prompt").to_series().unstack(["kind", "condition"])
    columns = list(product(KINDS, main["condition"].values))
    return "refusal rate" if generated else "refusal score in nats", table.loc[dataset["target"].values, columns]


def judge_table() -> pd.DataFrame | None:
    """Precision and recall of the rule judge, pooled and by language; None if it was not validated."""
    validation = load_validation()
    return None if validation is None else quality_table(validation)


def corrected_table(dataset: xr.Dataset) -> pd.DataFrame | None:
    """The refusal table with rates corrected for the rule judge's errors; None without its validation."""
    validation = load_validation()
    if validation is None or not str(dataset.attrs.get("judge", "rules")).startswith("rules"):
        return None
    errors, table = quality(validation), refusal_table(dataset)
    found = [corrected_rate(int(r), int(n), errors) for r, n in zip(table["refused"], table["prompts"], strict=True)]
    return table.assign(**dict(zip(("corrected", "corrected_low", "corrected_high"), np.transpose(found), strict=True)))


def control_tests(dataset: xr.Dataset, direction: str, kind: str = KINDS[0]) -> pd.DataFrame:
    """Exact McNemar test a language of refusals with control against without, Holm-adjusted over languages.

    With the change of the refusal rate and its 95 % bootstrap interval over prompts, paired.
    """
    from scipy.stats import binomtest

    outcome = dataset["outcome"].sel(kind=kind)
    before, after = (outcome.sel(condition=c).values == OUTCOME_REFUSAL for c in (BASELINE, direction))
    gained, lost = (after & ~before).sum(axis=1), (before & ~after).sum(axis=1)
    p = [binomtest(int(g), int(g + k)).pvalue if g + k else 1.0 for g, k in zip(gained, lost, strict=True)]
    changes = prompt_weights(before.shape[1]) @ (after.astype(float) - before).T
    low, high = interval(changes[1:])
    return pd.DataFrame(
        {
            "gained": gained,
            "lost": lost,
            "change": changes[0],
            "low": low,
            "high": high,
            "p": p,
            "p_holm": holm(np.array(p)),
        },
        index=pd.Index(dataset["target"].values, name="language"),
    )


def selectivity_table(dataset: xr.Dataset) -> pd.DataFrame:
    """How refusals tell harm from harmlessness, by condition and language, with 95 % bootstrap intervals over prompts.

    Refusal rate of harmful instructions, over-refusal of harmless ones, their difference (selectivity), d′ and the
    criterion (log-linear correction).
    """
    rows = []
    outcome = dataset["outcome"].transpose("condition", "target", "kind", "prompt")
    weights = prompt_weights(dataset.sizes["prompt"])
    for name, condition in zip(outcome["condition"].values, outcome.values, strict=True):
        for code, found in zip(outcome["target"].values, condition, strict=True):
            if (found < 0).any():
                continue
            hits, false_alarms = (weights @ (row == OUTCOME_REFUSAL) for row in found)
            d, c = detection(hits, false_alarms, found.shape[1])
            row = {"condition": str(name), "target": str(code), "refusal": hits[0], "over_refusal": false_alarms[0]}
            for label, samples in (("selectivity", hits - false_alarms), ("d", d), ("criterion", c)):
                low, high = interval(samples[1:])
                row |= {label: samples[0], f"{label}_low": float(low), f"{label}_high": float(high)}
            rows.append(row)
    parts = ("selectivity", "d", "criterion")
    columns = [name + end for name in parts for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["condition", "target", "refusal", "over_refusal", *columns])


def comparison_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Every condition that was generated in the detailed languages, as means over them: what it does and what it costs.

    Refusal rate, over-refusal, selectivity, share broken, share in the prompt's language, and on neutral sentences KL
    divergence and perplexity; of random vectors the mean.
    """
    refusals, selectivity = refusal_table(dataset), selectivity_table(dataset)
    counts = selectivity.groupby("condition")["target"].nunique()
    codes = selectivity.groupby("target")["condition"].nunique()
    codes = list(codes[codes == len(counts)].index)
    within = [table[table["target"].isin(codes)] for table in (selectivity, refusals)]
    parts = [
        within[0].groupby("condition", sort=False)[["refusal", "over_refusal", "selectivity"]].mean(),
        within[1].groupby("condition", sort=False)[["broken", "faithful"]].mean(),
        side_effects_table(dataset).groupby("condition", sort=False)[["divergence", "perplexity"]].mean(),
    ]
    table = parts[0].join(parts[1:])
    noise = {name: f"random vectors ({d})" for d in DIRECTIONS for name in names_by(dataset, RANDOM, d)}
    table = table.groupby(lambda name: noise.get(name, name), sort=False).mean()
    return table.rename_axis("condition")


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
        names = names_by(dataset, RANDOM, direction)
        generated = (harmful.sel(condition=names) >= 0).all("prompt").values
        noise = sign * (refused.sel(condition=names).mean("prompt").values - base.mean(axis=1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # languages in which no random vector was generated with
            random = np.nanmean(np.where(generated, noise, np.nan), axis=0)
        spoilt = broken.sel(condition=direction).mean("prompt") - broken.sel(condition=BASELINE).mean("prompt")
        result[direction] = Moved(
            baseline=base.mean(axis=1),
            change=change.mean(axis=1),
            low=low,
            high=high,
            p=control_tests(dataset, direction)["p"].to_numpy(),
            random=random if names else np.full(len(base), np.nan),
            broken=spoilt.values,
        )
    return result


def comparison_tables(datasets: dict[str, xr.Dataset]) -> pd.DataFrame:
    """The comparison tables of all models with generated completions, as a reader sees them."""
    found = {d.attrs["title"]: comparison_table(d) for d in datasets.values() if is_generated(d)}
    return _shown({title: table.rename(columns=COMPARED)[list(COMPARED.values())] for title, table in found.items()})


def rates_by_language(datasets: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Refusal rates by language, kind and main condition, as a reader sees them; corrected for a validated judge."""
    found = {}
    for dataset in filter(is_generated, datasets.values()):
        corrected = corrected_table(dataset)
        table = refusal_table(dataset) if corrected is None else corrected
        rate = "rate" if corrected is None else "corrected"
        wide = table.pivot(index="target", columns=["kind", "condition"], values=rate)
        order = [(kind, name) for kind in KINDS for name in (BASELINE, *DIRECTIONS)]
        wide = wide.loc[[str(code) for code in dataset["target"].values], order]
        found[dataset.attrs["title"]] = wide.set_axis(labels(wide.index)).rename_axis(columns=["", "language"])
    return _shown(found)


def _shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of models below each other, numbers as text; of one model without its title."""
    if not tables:
        return pd.DataFrame()
    if len(tables) == 1:
        [table] = tables.values()
        return table.map(plain).rename(index=lambda name: unbroken(_named(name))).rename_axis(None)
    table = pd.concat(dict(zip(told_apart(tables), tables.values(), strict=True)))  # names wrap beside the models'
    return table.map(plain).rename(index=_named, level=1).rename_axis([None, None])


def _named(condition: str) -> str:
    """A condition without the words that all of its kind share; languages stay as they are."""
    if "(towards " in condition:
        condition = condition.replace(" (towards ", ", ").removesuffix(")")
        for word in (" vectors", " vector", "system "):
            condition = condition.replace(word, "")
    return condition
