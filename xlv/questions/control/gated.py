"""Completions as shares: those that were generated, and under gated control those that follow from them.

A gate opens or not before anything is steered: what comes of a prompt is what came of it steered, or without control.
"""

import json
from itertools import product

import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions.control.scores import auroc, prompt_weights, select
from xlv.schema import ADDITION, BASELINE, BROKEN, KINDS, OUTCOMES, REFUSAL, REFUSING
from xlv.statistics.resampling import interval
from xlv.statistics.vectors import midpoint

CARRIED, RESET, BLIND = "gated, carried", "gated, reset", "content-blind gate"  # conditions that are derived
GATED = "gated"  # their method
OUTDATED = "an earlier version made these results, without gates: run again"


def is_gated(dataset: xr.Dataset) -> bool:
    """Whether results hold what a gate reads; those of earlier versions do not."""
    return "projection" in dataset


def of_built_in(dataset: xr.Dataset) -> bool:
    """Whether the instructions are those that come with xlv."""
    return not json.loads(dataset.attrs.get("settings", "{}")).get("data")


def generated_targets(dataset: xr.Dataset) -> list[str]:
    """The target languages with completions."""
    there = (dataset["outcome"].sel(condition=BASELINE) >= 0).any(("kind", "prompt"))
    return [str(code) for code in dataset["target"].values[there.values]]


def thresholds(dataset: xr.Dataset, source: str) -> xr.Dataset:
    """Thresholds `[target]` of a source's gate: `carried`, its own, and `reset` on each target's search split."""
    read = dataset["split_projection"].sel(searched=source, drop=True).transpose("target", "kind", "split_prompt")
    reset = xr.DataArray([midpoint(split[0], split[1]) for split in read.values], read["target"].coords, ["target"])
    return xr.Dataset(
        {"carried": xr.full_like(reset, dataset["gate_threshold"].sel(searched=source, drop=True)), "reset": reset}
    )


def gates(dataset: xr.Dataset, source: str) -> dict[str, xr.DataArray]:
    """By name of a condition, how far each gate of a source is open `[kind, target, prompt]`, 0 to 1.

    The content-blind one lets as many of a target's prompts pass as the carried one, whichever: it is open in part.
    """
    read, at = dataset["projection"].sel(searched=source, drop=True), thresholds(dataset, source)
    carried, reset = ((read > at[name]).astype(float).where(read.notnull()) for name in ("carried", "reset"))
    return {CARRIED: carried, RESET: reset, BLIND: xr.zeros_like(carried) + carried.mean(("kind", "prompt"))}


def completions(dataset: xr.Dataset) -> xr.Dataset:
    """`refused`, `broken` and `faithful` `[condition, kind, target, prompt]`, shares of completions: 0, 1, or between.

    NaN where none was generated, or it is not known whether an unbroken one is in its language. Behind the stored
    conditions stand those of gates towards refusing, of each source that was steered with: as `gates`, and of other
    sources with their name in brackets.
    """
    known = dataset["outcome"] >= 0
    marks = {"refused": REFUSAL, "broken": BROKEN}
    shares = xr.Dataset({k: (dataset["outcome"] == OUTCOMES.index(v)).where(known) for k, v in marks.items()})
    faithful = dataset["faithful"].where((dataset["faithful"] >= 0) & (shares["broken"] == 0))
    shares, found = shares.assign(faithful=faithful).assign_attrs(dataset.attrs), []
    for source in dataset["searched"].values if is_gated(dataset) else ():
        of = {"direction": REFUSING, "source": source, "concept": dataset.attrs["concept"]}
        plain = shares.sel(condition=BASELINE)
        for steered in select(dataset, method=ADDITION, **of):
            acts = shares.sel(condition=steered)
            about = "" if source == dataset.attrs["source"] else f" ({language(str(source)).name} vector)"
            for name, gate in gates(dataset, source).items():
                mixed = acts.where(gate == 1, plain.where(gate == 0, gate * acts + (1 - gate) * plain))
                names = {"condition": name + about, "method": GATED}
                found.append(mixed.where(known.sel(condition=steered)).assign_coords(names | of | {"draw": -1}))
    return xr.concat([shares, *found], "condition", combine_attrs="override") if found else shares


def knowing_table(dataset: xr.Dataset) -> pd.DataFrame:
    """How well harm is known, and acted on: AUROC, harmful against harmless instructions, with 95 % intervals.

    By `reader` and `target`: `state`, the projection on the source's direction, and `refusal score`, without control.
    Empty for results of an earlier version.
    """
    if not is_gated(dataset):
        return pd.DataFrame(columns=["reader", "target", "auroc", "low", "high"])
    readers = {"state": dataset["projection"].sel(searched=dataset.attrs["source"], drop=True)}
    readers["refusal score"] = dataset["score"].sel(condition=BASELINE)
    rows = []
    for (name, values), code in product(readers.items(), dataset["target"].values):
        read = values.sel(target=code).transpose("kind", "prompt").dropna("prompt").values
        samples = auroc(*read, prompt_weights(read.shape[1]))
        rows.append((name, str(code), samples[0], *interval(samples[1:])))
    return pd.DataFrame(rows, columns=["reader", "target", "auroc", "low", "high"])


def responding(dataset: xr.Dataset) -> list[str] | str:
    """Target languages other than the source whose refusals respond to harm without control, or why none is known.

    By the AUROC of the refusal score on the search split, harmful against harmless: its 95 % interval lies above ½.
    """
    if not is_gated(dataset):
        return OUTDATED
    if not bool((dataset["outcome"] >= 0).any()):
        return "no completions were generated"
    found = []
    for code in dataset["target"].values:
        split = dataset["split_score"].sel(target=code).dropna("split_prompt")
        read = auroc(*(split.sel(kind=k).values for k in KINDS), prompt_weights(split.sizes["split_prompt"]))
        if code != dataset.attrs["source"] and interval(read[1:])[0] > 0.5:
            found.append(str(code))
    return found or "in no other language do refusal scores respond to harm"
