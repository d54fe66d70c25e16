"""The answer to question 4 in words, made of computed numbers."""

import pandas as pd
import xarray as xr

from xlv.control.names import BASELINE, DIRECTIONS, FOLLOWING, KINDS, REFUSING
from xlv.corpus.languages import language
from xlv.questions.control import rates as tables
from xlv.questions.control import scores as scores
from xlv.report.answers import names_of
from xlv.report.formats import counted, signed


def control(datasets: dict[str, xr.Dataset]) -> str:
    """Question 4 in words: what the source language's vector does to refusals in all languages, and at what cost."""
    lines = []
    for dataset in datasets.values():
        lines += _by_score(dataset) if tables.hardly_refuses(dataset) else _by_rate(dataset)
    return "\n".join(lines)


def _by_rate(dataset: xr.Dataset) -> list[str]:
    title, source, table = dataset.attrs["title"], dataset.attrs["source"], tables.refusal_table(dataset)
    mean = table[table["target"] != source].groupby(["kind", "condition"])["rate"].mean()
    lines = [_without_control(title, table)]
    for direction in (REFUSING, FOLLOWING):
        tests = tables.control_tests(dataset, direction)
        moved = [str(code) for code, row in tests.iterrows() if row["p_holm"] < 0.05]
        lines.append(
            f"- **{title}, {direction}** with the {language(source).name} vector: refusals of harmful "
            f"instructions go from {mean[KINDS[0], BASELINE]:.2f} to **{mean[KINDS[0], direction]:.2f}** on average over "
            f"the other languages, over-refusal of harmless ones from {mean[KINDS[1], BASELINE]:.2f} to "
            f"{mean[KINDS[1], direction]:.2f}; the change is significant (McNemar, Holm) in "
            f"{len(moved)} of {len(tests)} languages{': ' + names_of(moved) if moved else ''}."
            f"{_matched(dataset, direction)}{_against_random(dataset, direction)}"
        )
    return lines


def _by_score(dataset: xr.Dataset) -> list[str]:
    """For a model that hardly refuses: why the score is shown, and how far it moves."""
    title, source = dataset.attrs["title"], dataset.attrs["source"]
    if tables.is_generated(dataset):
        rates = tables.refusal_table(dataset)
        rates = rates[rates["kind"] == KINDS[0]].groupby("condition")["rate"].mean()
        why = (
            f"hardly refuses (harmful instructions at {rates[BASELINE]:.2f} on average over languages without control, at "
            f"{rates[REFUSING]:.2f} {REFUSING}), so rates say little and the refusal score is what to read"
        )
    else:
        why = (
            "has no chat template: it was not trained to answer or to decline, so nothing is generated and the refusal "
            "score is what to read"
        )
    lines = [f"- **{title}** {why}."]
    shifts = scores.score_table(dataset)
    for direction in DIRECTIONS:
        found = shifts.loc[direction]
        right = int((found > 0).sum() if direction == REFUSING else (found < 0).sum())
        lines.append(
            f"- **{title}, {direction}** with the {language(source).name} vector: the score of harmful instructions shifts "
            f"by **{signed(found.drop(source, errors='ignore').mean(), 1)} nats** on average over the other languages, in that "
            f"direction in {right} of {len(found)} languages.{_matched(dataset, direction)}"
            f"{_against_random(dataset, direction)}"
        )
    return lines


def _matched(dataset: xr.Dataset, direction: str) -> str:
    """What the score's AUROC says: whether control tells harm better, or only moves the threshold."""
    table = scores.auroc_table(dataset)
    rows, before = (table[table["condition"] == name] for name in (direction, BASELINE))
    better, worse = int((rows["change_low"] > 0).sum()), int((rows["change_high"] < 0).sum())
    return (
        f" At matched over-refusal (AUROC of the refusal score, {before['auroc'].mean():.2f} without control) harm is told "
        f"from harmlessness at {rows['auroc'].mean():.2f}: better in {counted(better, 'language')}, worse in {worse}."
    )


def _against_random(dataset: xr.Dataset, direction: str) -> str:
    beaten, count = scores.beats_random(dataset, direction)
    if not count:
        return ""
    return (
        f" The score moves further than under any of {count} random vectors of equal dose in {len(beaten)} of "
        f"{dataset.sizes['target']} languages."
    )


def _without_control(title: str, table: pd.DataFrame) -> str:
    """Where refusals without control tell harm from harmlessness, and where they do not."""
    rates = table[table["condition"] == BASELINE].pivot(index="target", columns="kind", values="rate")
    blind = [str(code) for code, row in rates.iterrows() if row[KINDS[1]] > 0 and row[KINDS[1]] >= row[KINDS[0]] / 2]
    text = (
        f"- **{title}, {BASELINE}**: harmful instructions are refused at {rates[KINDS[0]].mean():.2f} on average over "
        f"languages, harmless ones at {rates[KINDS[1]].mean():.2f}"
    )
    if not blind:
        return text + "."
    return (
        f"{text}; in {names_of(blind)} harmless ones are refused at least half as often as harmful ones: there a refusal "
        "may say that the model did not understand rather than that it saw harm."
    )


def judge(errors: pd.DataFrame | None) -> str:
    """How good the rule judge is, in words, from `tables.judge_table`."""
    if errors is None:
        return "The rule judge has not been validated on labelled completions: its rates stand uncorrected."
    row = errors.loc["all"]
    return (
        f"On {row['completions']:.0f} completions labelled twice ({row['refusals']:.0f} refusals; the passes agree at "
        f"κ = {row['kappa']:.2f}) the rule judge has a precision of **{row['precision']:.2f}** (95 % interval "
        f"{row['precision_low']:.2f} to {row['precision_high']:.2f}) and a recall of **{row['recall']:.2f}** "
        f"({row['recall_low']:.2f} to {row['recall_high']:.2f}). Of {row['broken']:.0f} completions that both passes call "
        f"broken it finds {row['broken_found']:.0f}; it takes the others for answers, so shares of broken completions are "
        "lower bounds."
    )
