from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from xlv.questions.claims.ledger import Finding, findings
from xlv.questions.claims.rules import CLAIMS, FAILS, HOLDS, OPEN
from xlv.report.answers import in_short
from xlv.report.formats import unbroken
from xlv.report.ledger import four_questions, ledger, of, statistic, value, verdicts
from xlv.schema import BASELINE, DIRECTIONS, KINDS


@pytest.fixture
def found(recognition, consistency):
    series = {"small": recognition, "large": recognition}
    return findings({"large": recognition}, {"large": consistency}, {}, series)


def test_every_claim_has_a_row_with_its_verdict_and_why(found):
    table = ledger(found, {"large": "My model"})
    assert len(table) == len(CLAIMS) and all(text.startswith((HOLDS, FAILS, OPEN)) for text in table["verdict"])
    assert table["verdict"].iloc[7] == f"{OPEN} (question 4 was not asked of this model)"
    assert table["value (interval)"].iloc[7] == "–"


def test_models_stand_below_each_claim_whose_number_is_said_once(found):
    twice = ledger({"a": found["large"], "b": found["large"]}, {"a": "A (Q4)", "b": "B (Q4)"})
    assert list(twice["claim"][:3]) == ["1", "", "2"] and list(twice["model"][:2]) == ["A", "B"]


def test_runs_that_differ_by_their_seed_only_are_one_row_with_mean_and_standard_deviation():
    seeds = {"a": [Finding(5, 0.01, 0.0, 0.02, OPEN)], "b": [Finding(5, 0.03, 0.02, 0.04, HOLDS)]}
    table = ledger(seeds, {"a": "A (Q4), seed 1", "b": "A (Q4), seed 2"})
    assert table.to_numpy().tolist() == [["5", "A", unbroken("0.020 ± 0.014 over 2 seeds"), f"1 × {OPEN}, 1 × {HOLDS}"]]
    words = in_short(5, seeds, {"a": "A (Q4), seed 1", "b": "A (Q4), seed 2"})
    assert "**0.020 ± 0.014 over 2 seeds** (A)" in words and f"*{HOLDS}* for A in 1 of 2 seeds" in words
    assert len(ledger(seeds, {"a": "A, seed 1", "b": "A, chat, seed 2"})) == 2


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding(1, 7.0, 2.0, 10.0, OPEN), "7 (2 to 10)"),
        (Finding(7, -0.0004, -0.0104, 0.01, OPEN), "0.000 (−0.010 to +0.010)"),
        (Finding(3, 0.5, float("nan"), float("nan"), OPEN), "0.50"),
        (Finding(5, *[float("nan")] * 3, OPEN), ""),
    ],
)
def test_counts_levels_and_differences_are_written_as_such(finding, text):
    assert statistic(finding) == text and text.startswith(value(finding))


def test_the_figure_has_a_cell_for_each_claim_and_model(found):
    figure = verdicts(found, {"large": "My model"})
    assert [text.get_text().split("\n")[0] for text in figure.axes[0].texts] == [f.verdict for f in found["large"]]
    assert of(found["large"], 5).claim == 5


NAN = float("nan")
TITLES = {"a": "Model A (Q4_1)", "b": "Model B"}
FOUND = {
    "a": [
        Finding(1, 13, 12, 15, HOLDS),
        Finding(3, 0.9, 0.7, 3.0, OPEN),
        Finding(5, 0.05, 0.03, 0.08, HOLDS),
        Finding(8, 0.7, NAN, NAN, HOLDS),
    ],
    "b": [Finding(1, 3, 1, 4, FAILS), *(Finding(claim, NAN, NAN, NAN, OPEN, "not asked") for claim in (3, 5, 8))],
}
RECOGNITION = {"a": xr.Dataset(coords={"target": list("wxyz")})}


def control(refused: dict[str, list[int]]) -> xr.Dataset:
    """Refusals of harmful instructions, of two prompts each, in English, French and Swahili."""
    outcome = np.zeros((3, 3, len(KINDS), 2), dtype=int)
    for row, condition in enumerate((BASELINE, *DIRECTIONS)):
        for column, count in enumerate(refused[condition]):
            outcome[row, column, 0, :count] = 1
    dims = ("condition", "target", "kind", "prompt")
    coords = {"condition": [BASELINE, *DIRECTIONS], "target": ["en", "fr", "sw"], "kind": list(KINDS)}
    coords |= {"means": ("target", list("mmm")), "effect": ("target", list("eee"))}
    faithful = xr.zeros_like(xr.DataArray(outcome, dims=dims, coords=coords)) + 1
    return xr.Dataset(
        {"outcome": (dims, outcome), "faithful": faithful}, coords=coords, attrs={"source": "en", "title": "Model A"}
    )


def points(axes, size: float) -> list[float]:
    return [float(line.get_xdata()[0]) for line in axes.lines if line.get_markersize() == size]


def test_dots_are_the_findings_and_a_finding_without_a_value_has_none():
    counts, cosines, transfer, _ = four_questions(FOUND, TITLES, RECOGNITION, {}).axes
    assert points(counts, 5) == [13, 3] and points(cosines, 5) == [0.9] and points(transfer, 5) == [0.05]
    assert [text.get_text() for text in counts.get_yticklabels()] == ["Model A", "Model B"]


def test_verdicts_stand_beside_the_rows():
    counts, cosines, *_ = four_questions(FOUND, TITLES, RECOGNITION, {}).axes
    assert [t.get_text() for t in counts.texts] == [f"{HOLDS}\n13 (12 to 15)", f"{FAILS}\n3 (1 to 4)"]
    assert cosines.texts[1].get_text() == OPEN


def test_refusals_are_means_over_the_other_languages():
    refused = dict(zip((BASELINE, *DIRECTIONS), ([2, 1, 0], [2, 2, 1], [0, 0, 0]), strict=True))
    rates = four_questions(FOUND, TITLES, RECOGNITION, {"a": control(refused)}).axes[3]
    assert points(rates, 6) == pytest.approx([0.25, 0.75, 0.0])


def test_without_question_4_the_figure_says_so():
    rates = four_questions(FOUND, TITLES, RECOGNITION, {}).axes[3]
    assert rates.get_xlabel() == "not measured on any of these models" and not rates.lines


@pytest.mark.parametrize("end", [0.03, 0.08, 0.11, 0.14, 0.6])
def test_ticks_of_one_way_transfer_do_not_touch(end):
    found = {"a": [*FOUND["a"][:2], Finding(5, end / 2, 0.01, end, OPEN), FOUND["a"][3]]}
    figure = four_questions(found, {"a": "Qwen2.5-Coder 0.5B Instruct"}, RECOGNITION, {})
    figure.draw_without_rendering()
    axes = figure.axes[2]
    low, high = axes.get_xlim()
    boxes = [
        text.get_window_extent()
        for at, text in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        if low <= at <= high
    ]
    assert len(boxes) > 2 and all(left.x1 < right.x0 for left, right in pairwise(boxes))
