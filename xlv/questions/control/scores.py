"""The numbers behind the figures of question 4: refusal scores and side effects, as tables."""

import numpy as np
import pandas as pd
import xarray as xr

from xlv.control.names import BASELINE, DIRECTIONS, KINDS, OTHER_SOURCE, RANDOM
from xlv.corpus.languages import language
from xlv.questions.control.detection import auroc, prompt_weights
from xlv.statistics.resampling import interval


def of_source(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with the search and the settings of the main source only."""
    return dataset.sel(source=dataset.attrs["source"])


def names_by(dataset: xr.Dataset, means: str, effect: str | None = None) -> list[str]:
    """Names of the conditions that act by some means, all or those to one effect."""
    chosen = dataset["means"] == means
    if effect is not None:
        chosen = chosen & (dataset["effect"] == effect)
    return [str(name) for name in dataset["condition"].values[chosen.values]]


def score_table(dataset: xr.Dataset, kind: str = KINDS[0]) -> pd.DataFrame:
    """Shift of the mean refusal score (nats) against no control on the same prompts, condition by language."""
    score = dataset["score"].sel(kind=kind)
    shift = (score - score.sel(condition=BASELINE)).mean("prompt")
    return shift.drop_sel(condition=BASELINE).to_pandas()


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
                    "condition": name,
                    "target": str(code),
                    "auroc": samples[0],
                    "low": low,
                    "high": high,
                    "change": samples[0] - before[0],
                    "change_low": change_low,
                    "change_high": change_high,
                    "prompts": int(known.sum()),
                }
            )
    return pd.DataFrame(rows)


def response_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Dose and response: shift of the mean refusal score (nats) by signed dose, kind and language.

    Doses towards refusing are positive, towards following negative, each at the layers chosen for its direction.
    """
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
    tokens = dataset["neutral_tokens"].sum("sentence")
    predicted = (dataset["neutral_tokens"] - 1).sum("sentence")
    table = xr.Dataset(
        {
            "divergence": dataset["neutral_divergence"].sum("sentence") / tokens.where(tokens > 0),
            "perplexity": np.exp(dataset["neutral_nats"].sum("sentence") / predicted.where(tokens > 0)),
        }
    )
    table = table.drop_vars(["means", "effect"]).rename(neutral_language="language")
    return table.to_dataframe().dropna().reset_index()


def source_target(dataset: xr.Dataset, direction: str) -> pd.DataFrame:
    """Shift of the mean refusal score of harmful instructions (nats), sources by targets, each at its own settings."""
    shifts = score_table(dataset)
    rows = {dataset.attrs["source"]: shifts.loc[direction]}
    for name in names_by(dataset, OTHER_SOURCE, direction):
        codes = [str(code) for code in dataset["source"].values]
        rows[next(code for code in codes if name.startswith(language(code).name))] = shifts.loc[name]
    return pd.DataFrame(rows).T


def surface_table(dataset: xr.Dataset) -> pd.DataFrame:
    """The search: shift of the mean refusal score (nats) on the source's search split by direction, layers and dose."""
    found = of_source(dataset)
    shift = (found["search_score"] - found["search_baseline"]).rename("shift")
    return shift.to_dataframe().reset_index()[["direction", "window", "dose", "shift"]]


def sources_table(dataset: xr.Dataset) -> pd.DataFrame:
    """`source_target` in both directions, stacked."""
    return pd.concat({direction: source_target(dataset, direction) for direction in DIRECTIONS}, names=["direction"])
