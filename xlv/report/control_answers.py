"""The answer to question 4 in words, made of computed numbers."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from xlv.corpus.languages import language
from xlv.questions.control import rates, scores
from xlv.questions.control.judge import load_validation, quality_table
from xlv.report.answers import names_of
from xlv.report.formats import counted, signed
from xlv.results import BASELINE, DIRECTIONS, EFFECT, HARMFUL, HARMLESS, REFUSING


def control(datasets: Mapping[str, xr.Dataset]) -> str:
    """Question 4 in words: what the source language's vector does to refusals in all languages, and at what cost."""
    lines = []
    for dataset in datasets.values():
        auroc = scores.auroc_table(dataset)
        lines += _by_score(dataset, auroc) if rates.hardly_refuses(dataset) else _by_rate(dataset, auroc)
    return "\n".join(lines)


def _by_rate(dataset: xr.Dataset, auroc: pd.DataFrame) -> list[str]:
    title, source = dataset.attrs["title"], dataset.attrs["source"]
    mean = rates.mean_rates(dataset, without=source)
    lines = [_without_control(dataset)]
    for direction in DIRECTIONS:
        changes = rates.refusal_changes(dataset, direction)
        moved = [str(code) for code in changes.index[changes["p_holm"] < 0.05]]
        lines.append(
            f"- **{title}, {direction}** with the {language(source).name} vector: refusals of harmful "
            f"instructions go from {mean[HARMFUL, BASELINE]:.2f} to **{mean[HARMFUL, direction]:.2f}** on average over "
            f"the other languages, over-refusal of harmless ones from {mean[HARMLESS, BASELINE]:.2f} to "
            f"{mean[HARMLESS, direction]:.2f}; the change is significant (McNemar, Holm) in "
            f"{len(moved)} of {len(changes)} languages{': ' + names_of(moved) if moved else ''}."
            f"{_matched(auroc, direction)}{_against_random(dataset, direction)}"
        )
    return lines


def _by_score(dataset: xr.Dataset, auroc: pd.DataFrame) -> list[str]:
    """For a model that hardly refuses: why the score is shown, and how far it moves."""
    title, source = dataset.attrs["title"], dataset.attrs["source"]
    why = (
        "has no chat template: it was not trained to answer or to decline, so nothing is generated and the refusal score "
        "is what to read"
    )
    if rates.is_generated(dataset):
        mean = rates.mean_rates(dataset)[HARMFUL]
        why = (
            f"hardly refuses (harmful instructions at {mean[BASELINE]:.2f} on average over languages without control, at "
            f"{mean[REFUSING]:.2f} {REFUSING}), so rates say little and the refusal score is what to read"
        )
    lines = [f"- **{title}** {why}."]
    shifts = scores.score_table(dataset)
    for direction in DIRECTIONS:
        found = shifts.loc[direction]
        right, others = int((EFFECT[direction] * found > 0).sum()), found.drop(source, errors="ignore")
        lines.append(
            f"- **{title}, {direction}** with the {language(source).name} vector: the score of harmful instructions shifts "
            f"by **{signed(others.mean(), 1)} nats** on average over the other languages, in that direction in {right} of "
            f"{len(found)} languages.{_matched(auroc, direction)}{_against_random(dataset, direction)}"
        )
    return lines


def _matched(auroc: pd.DataFrame, direction: str) -> str:
    """What the score's AUROC says: whether control distinguishes harm better, or only moves the threshold."""
    mean, rows = auroc.groupby("condition")["auroc"].mean(), auroc[auroc["condition"] == direction]
    better, worse = int((rows["change_low"] > 0).sum()), int((rows["change_high"] < 0).sum())
    return (
        f" At matched over-refusal (AUROC of the refusal score, {mean[BASELINE]:.2f} without control) harm is distinguished "
        f"from harmlessness at {mean[direction]:.2f}: better in {counted(better, 'language')}, worse in {worse}."
    )


def _against_random(dataset: xr.Dataset, direction: str) -> str:
    beaten, count = scores.beats_random(dataset, direction)
    of = f"{len(beaten)} of {dataset.sizes['target']} languages"
    return f" The score moves further than under any of {count} random vectors of equal dose in {of}." if count else ""


def _without_control(dataset: xr.Dataset) -> str:
    """Where refusals without control distinguish harm from harmlessness, and where they do not."""
    mean, blind = rates.mean_rates(dataset), rates.blind_languages(dataset)
    text = (
        f"- **{dataset.attrs['title']}, {BASELINE}**: harmful instructions are refused at {mean[HARMFUL, BASELINE]:.2f} on "
        f"average over languages, harmless ones at {mean[HARMLESS, BASELINE]:.2f}"
    )
    if not blind:
        return text + "."
    return (
        f"{text}; in {names_of(blind)} harmless ones are refused at least half as often as harmful ones: there a refusal "
        "may say that the model did not understand rather than that it saw harm."
    )


def judge() -> str:
    """How good the rule judge is, in words."""
    validation = load_validation()
    if validation is None:
        return "The rule judge has not been validated on labelled completions: its rates stand uncorrected."
    row = quality_table(validation).loc["all"]
    return (
        f"On {row['completions']:.0f} completions labelled twice ({row['refusals']:.0f} refusals; the passes agree at "
        f"κ = {row['kappa']:.2f}) the rule judge has a precision of **{row['precision']:.2f}** (95 % interval "
        f"{row['precision_low']:.2f} to {row['precision_high']:.2f}) and a recall of **{row['recall']:.2f}** "
        f"({row['recall_low']:.2f} to {row['recall_high']:.2f}). Of {row['broken']:.0f} completions that both passes call "
        f"broken it finds {row['broken_found']:.0f}; it takes the others for answers, so shares of broken completions are "
        "lower bounds."
    )
