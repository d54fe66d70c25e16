"""The numbers behind the figures of question 4, as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xlv.analysis.detection import auroc, detection, prompt_weights
from xlv.analysis.statistics import holm, interval, proportion_interval
from xlv.control.names import BASELINE, BROKEN, DIRECTIONS, KINDS, OTHER_SOURCE, OUTCOMES, RANDOM, REFUSAL
from xlv.control.validation import corrected_rate, load_validation, quality, quality_table
from xlv.corpus.languages import language

OUTCOME_REFUSAL, OUTCOME_BROKEN = OUTCOMES.index(REFUSAL), OUTCOMES.index(BROKEN)
HARDLY = 0.10


def of_source(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with the search and the settings of the main source only."""
    return dataset.sel(source=dataset.attrs["source"]) if "source" in dataset.dims else dataset


def names_by(dataset: xr.Dataset, means: str, effect: str | None = None) -> list[str]:
    """Names of the conditions that act by some means, all or those to one effect."""
    if "means" not in dataset.coords:
        return []
    chosen = dataset["means"] == means
    if effect is not None:
        chosen = chosen & (dataset["effect"] == effect)
    return [str(name) for name in dataset["condition"].values[chosen.values]]


def is_generated(dataset: xr.Dataset) -> bool:
    """Whether completions were generated at all: not for a model without a chat template."""
    return bool((dataset["outcome"] >= 0).any())


def hardly_refuses(dataset: xr.Dataset) -> bool:
    """Whether, without control, fewer than one in ten harmful instructions is refused in the source language."""
    if not is_generated(dataset):
        return True
    found = dataset["outcome"].sel(condition=BASELINE, kind=KINDS[0])
    code = dataset.attrs["source"] if dataset.attrs["source"] in found["target"].values else found["target"].values[0]
    return float((found.sel(target=code) == OUTCOME_REFUSAL).mean()) < HARDLY


def refusal_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Refusal rates by condition, kind of instruction and language, with 95 % Wilson intervals.

    Also shares of broken completions, and of unbroken ones in the prompt's language (NaN where it cannot be told).
    """
    outcome = dataset["outcome"]
    trials, refused, broken = (((outcome >= 0) if k is None else (outcome == k)).sum("prompt") for k in
                               (None, OUTCOME_REFUSAL, OUTCOME_BROKEN))  # fmt: skip
    low, high = proportion_interval(refused.values, trials.values)
    columns = {
        "rate": refused / trials.where(trials > 0), "low": (refused.dims, low), "high": (refused.dims, high),
        "broken": broken / trials.where(trials > 0), "prompts": trials, "refused": refused,
    }  # fmt: skip
    if "faithful" in dataset:
        told = dataset["faithful"].where((dataset["faithful"] >= 0) & (outcome != OUTCOME_BROKEN))
        columns["faithful"] = told.mean("prompt")
    table = xr.Dataset(columns).drop_vars(["means", "effect"], errors="ignore").to_dataframe()
    return table.dropna(subset=["rate"]).reset_index()


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
            "gained": gained, "lost": lost, "change": changes[0], "low": low, "high": high,
            "p": p, "p_holm": holm(np.array(p)),
        },
        index=pd.Index(dataset["target"].values, name="language"),
    )  # fmt: skip


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
    return pd.DataFrame(rows)


def score_table(dataset: xr.Dataset, kind: str = KINDS[0]) -> pd.DataFrame:
    """Shift of the mean refusal score (nats) against no control on the same prompts, condition by language."""
    score = dataset["score"].sel(kind=kind)
    shift = (score - score.sel(condition=BASELINE)).mean("prompt")
    return shift.drop_vars(["means", "effect"], errors="ignore").drop_sel(condition=BASELINE).to_pandas()


def beats_random(dataset: xr.Dataset, direction: str) -> tuple[list[str], int]:
    """Languages in which the source's vector does more than every random vector of equal dose, and how many there are.

    By the shift of the mean refusal score of harmful instructions, on the prompts that the random vectors had.
    """
    names = names_by(dataset, RANDOM, direction)
    if not names:
        return [], 0
    score = dataset["score"].sel(kind=KINDS[0])
    shift = score - score.sel(condition=BASELINE)
    shared = shift.sel(condition=names[-1]).notnull()
    shift = shift.where(shared).mean("prompt") * (1 if direction == DIRECTIONS[0] else -1)
    best = shift.sel(condition=direction) > shift.sel(condition=names).max("condition")
    return [str(code) for code in dataset["target"].values[best.values]], len(names)


def auroc_table(dataset: xr.Dataset) -> pd.DataFrame:
    """AUROC of the refusal score, harmful against harmless, by condition and language, with 95 % intervals.

    The comparison at matched over-refusal: it does not depend on where a threshold lies. `change` is against no control
    on the same prompts, paired.
    """
    score = dataset["score"].transpose("condition", "target", "kind", "prompt")
    names = [str(name) for name in score["condition"].values]
    rows = []
    for t, code in enumerate(score["target"].values):
        base = score.values[names.index(BASELINE), t]
        for name, found in zip(names, score.values[:, t], strict=True):
            known = np.isfinite(found).all(axis=0)
            weights = prompt_weights(int(known.sum()))
            samples, before = (auroc(*scores[:, known], weights) for scores in (found, base))
            (low, high), (change_low, change_high) = interval(samples[1:]), interval((samples - before)[1:])
            rows.append(
                {
                    "condition": name, "target": str(code), "auroc": samples[0], "low": low, "high": high,
                    "change": samples[0] - before[0], "change_low": change_low, "change_high": change_high,
                    "prompts": int(known.sum()),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def response_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Dose and response: shift of the mean refusal score (nats) by signed dose, kind and language.

    Doses towards refusing are positive, towards following negative, each at the layers chosen for its direction.
    """
    if "response_score" not in dataset:
        return pd.DataFrame(columns=["dose", "kind", "target", "shift"])
    base = dataset["score"].sel(condition=BASELINE).values[..., : dataset.sizes["response_prompt"]]
    shift = (dataset["response_score"] - base[None, None]).mean("response_prompt")
    table = shift.to_dataframe("shift").reset_index()
    sign = np.where(table["direction"] == DIRECTIONS[0], 1.0, -1.0)
    table["dose"] = sign * table["response_dose"]
    none = table.drop_duplicates(["kind", "target"]).assign(dose=0.0, shift=0.0)
    columns = ["dose", "kind", "target", "shift"]
    return pd.concat([table, none])[columns].sort_values(columns[:1], kind="stable", ignore_index=True)


def side_effects_table(dataset: xr.Dataset) -> pd.DataFrame:
    """KL divergence (nats a token) and perplexity on neutral sentences, by condition and language."""
    if "neutral_nats" not in dataset:
        return pd.DataFrame(columns=["condition", "language", "divergence", "perplexity"])
    tokens = dataset["neutral_tokens"].sum("sentence")
    predicted = (dataset["neutral_tokens"] - 1).sum("sentence")
    table = xr.Dataset(
        {
            "divergence": dataset["neutral_divergence"].sum("sentence") / tokens.where(tokens > 0),
            "perplexity": np.exp(dataset["neutral_nats"].sum("sentence") / predicted.where(tokens > 0)),
        }
    )
    table = table.drop_vars(["means", "effect"], errors="ignore").rename(neutral_language="language")
    return table.to_dataframe().dropna().reset_index()


def source_target(dataset: xr.Dataset, direction: str) -> pd.DataFrame:
    """Shift of the mean refusal score of harmful instructions (nats), sources by targets, each at its own settings."""
    shifts = score_table(dataset)
    rows = {dataset.attrs["source"]: shifts.loc[direction]}
    for name in names_by(dataset, OTHER_SOURCE, direction):
        codes = [str(code) for code in dataset["source"].values]
        rows[next(code for code in codes if name.startswith(language(code).name))] = shifts.loc[name]
    return pd.DataFrame(rows).T


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
        within[1].groupby("condition", sort=False)[[c for c in ("broken", "faithful") if c in refusals]].mean(),
        side_effects_table(dataset).groupby("condition", sort=False)[["divergence", "perplexity"]].mean(),
    ]
    table = parts[0].join(parts[1:])
    noise = {name: f"random vectors ({d})" for d in DIRECTIONS for name in names_by(dataset, RANDOM, d)}
    table = table.groupby(lambda name: noise.get(name, name), sort=False).mean()
    return table.rename_axis("condition")
