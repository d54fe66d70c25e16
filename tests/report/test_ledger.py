from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from bs4 import BeautifulSoup

from tests.report.judged import TITLES, ledger
from xlv.questions.claims.ledger import Ledger, judged
from xlv.questions.claims.table import CONFIRMED, tally
from xlv.questions.claims.verdicts import HOLDS
from xlv.report.ledger import KINDS, OF_ONE, comparisons, counts, four_questions, kinds, number, tables, verdicts
from xlv.schema import BASELINE, DIRECTIONS
from xlv.schema import KINDS as PROMPTS


def signs(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_kinds_are_the_columns_of_the_tally_and_told_apart_by_colour_and_by_sign():
    assert list(KINDS) == list(tally(ledger().verdicts))
    assert all(len({look[place] for look in KINDS.values()}) == len(KINDS) for place in (0, 1))
    assert counts(kinds(ledger().verdicts)).split("\N{NO-BREAK SPACE}" * 2)[0] == "2\N{NO-BREAK SPACE}✓"


def test_a_map_has_a_cell_for_each_claim_and_concept_of_a_model():
    one, other = verdicts(ledger()).axes
    assert one.get_title() == "Model A" and other.get_title() == "Model B"
    assert signs(one)[:4] == ["✓", "✗", "(✓)", "?"] and sorted(signs(other)) == ["?", "–"]
    assert [text.get_text() for text in one.get_xticklabels()] == ["toxicity", "morality", "fairness", "deontology"]
    assert [text.get_text().split("  ")[0] for text in one.get_yticklabels()] == OF_ONE
    codes = one.images[0].get_array()
    assert codes[0].tolist() == [0, 1, 2, 4] and np.ma.getmaskarray(codes)[1].all()  # claim 1b has no verdicts here


def test_claims_on_two_models_name_both_and_what_is_compared():
    (panel,) = comparisons(ledger()).axes
    rows = [text.get_text() for text in panel.get_yticklabels()]
    assert rows == ["2  Model B − Model A", "M  triangle: Model B − Model A", "M  ρ: Model B − Model A"]
    assert signs(panel) == ["(✓)", "?", "?", "–"]


def test_figures_bring_their_verdicts_as_numbers():
    text = verdicts(ledger()).numbers
    assert text.startswith("model,concept,cohort,part,claim,value,") and "Model A,toxicity,second,,1a,0.5," in text


def test_results_of_an_earlier_version_are_said_to_be_such(recognition, consistency):
    old = judged({"m": recognition.drop_vars("cohort_accuracy")}, {"m": consistency}, {})
    assert "run again" in verdicts(old).axes[0].texts[0].get_text()
    assert "two models of one series" in comparisons(old).axes[0].texts[0].get_text()
    assert tables(old) == "" and four_questions(old, {}).axes


def test_each_claim_has_a_folded_table_with_both_intervals_and_what_would_have_been_found():
    page = BeautifulSoup(tables(ledger()), "html.parser")
    folded = page.find_all("details")
    assert [part.summary.b.get_text() for part in folded] == ["1a", "2", "3", "5", "M"]
    rows = [
        [cell.get_text().replace("\xa0", " ") for cell in tr.find_all(["th", "td"])] for tr in folded[0].find_all("tr")
    ]
    assert ["deontology", "? undecided", "0.80", "0.70 to 0.90", "0.75 to 0.85", "0.04"] in rows
    assert rows[1][:3] == ["Model A", "toxicity", "✓ confirmed"] and rows[1][-1] == "–"
    assert folded[3].p.get_text() == "Not asked. Model B: toxicity (nobody <i>asked</i>)"
    assert "Model B − Model A" in folded[1].get_text() and "ρ: Model B − Model A" in folded[4].get_text()


@pytest.mark.parametrize(
    ("claim", "value", "text"),
    [("1a", 0.7256, "0.73"), ("3", -0.1, "−0.10"), ("5", 0.0251, "+0.025"), ("4a", 0.05, "+0.05"), ("6", np.nan, "–")],
)
def test_levels_have_two_digits_and_differences_of_accuracy_three_and_a_sign(claim, value, text):
    assert number(claim, value) == text


def control(refused: dict[str, list[int]]) -> xr.Dataset:
    """Refusals of harmful instructions, of two prompts each, in English, French and Swahili."""
    outcome = np.zeros((3, 3, len(PROMPTS), 2), dtype=int)
    for row, condition in enumerate((BASELINE, *DIRECTIONS)):
        for column, count in enumerate(refused[condition]):
            outcome[row, column, 0, :count] = 1
    dims = ("condition", "target", "kind", "prompt")
    coords = {"condition": [BASELINE, *DIRECTIONS], "target": ["en", "fr", "sw"], "kind": list(PROMPTS)}
    coords |= {"means": ("target", list("mmm")), "effect": ("target", list("eee"))}
    faithful = xr.zeros_like(xr.DataArray(outcome, dims=dims, coords=coords)) + 1
    return xr.Dataset(
        {"outcome": (dims, outcome), "faithful": faithful}, coords=coords, attrs={"source": "en", "title": "Model A"}
    )


def points(axes, size: float) -> list[float]:
    return [
        float(line.get_xdata()[0]) for line in axes.lines if line.get_markersize() == size and len(line.get_marker())
    ]


def dots(axes) -> list[tuple[float, str]]:
    marked = [line for line in axes.lines if line.get_marker() == "o"]
    return [(float(line.get_xdata()[0]), line.get_color()) for line in marked if np.isfinite(line.get_xdata()).all()]


def test_dots_are_the_concepts_in_the_colours_of_their_verdicts():
    read, alike, teach, _ = four_questions(ledger(), {}).axes
    colours = [look[0] for look in KINDS.values()]
    expected = [(0.5, colours[0]), (0.9, colours[1]), (0.7, colours[2]), (0.8, colours[4])]
    assert dots(alike) == expected and dots(read) == [*expected, (0.7, colours[4])]
    assert dots(teach) == [(0.01, colours[3])]
    assert [text.get_text() for text in read.get_yticklabels()] == ["Model A", "Model B", "Older <b>"]


def test_verdicts_are_counted_beside_the_rows():
    read, _, teach, _ = four_questions(ledger(), {}).axes
    told = [text.replace("\N{NO-BREAK SPACE}", " ") for text in signs(read)]
    assert told == ["1 ✓  1 ✗  1 (✓)  1 ?", "1 ?", ""]
    assert signs(teach)[1].endswith("–")


def test_refusals_are_means_over_the_other_languages():
    refused = dict(zip((BASELINE, *DIRECTIONS), ([2, 1, 0], [2, 2, 1], [0, 0, 0]), strict=True))
    found = ledger(control=[("a", "harmfulness", DIRECTIONS[0], "8a", CONFIRMED, HOLDS, 0.4)])
    rates = four_questions(found, {"a": control(refused)}).axes[3]
    assert points(rates, 6) == pytest.approx([0.25, 0.75, 0.0]) and signs(rates) == ["1\N{NO-BREAK SPACE}✓"]


def test_without_question_4_the_figure_says_so():
    rates = four_questions(ledger(), {}).axes[3]
    assert rates.get_xlabel() == "not measured on any of these models" and not rates.lines


@pytest.mark.parametrize("end", [0.03, 0.08, 0.11, 0.14, 0.6])
def test_ticks_of_gradients_do_not_touch(end):
    table = ledger().verdicts.assign(value=lambda rows: np.where(rows["claim"] == "5", end, rows["value"]))
    figure = four_questions(Ledger(TITLES, table, table), {})
    figure.draw_without_rendering()
    axes = figure.axes[2]
    low, high = axes.get_xlim()
    boxes = [
        text.get_window_extent()
        for at, text in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        if low <= at <= high
    ]
    assert len(boxes) > 2 and all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_claim_8_is_told_by_direction():
    found = ledger(control=[("a", "harmfulness", d, "8a", CONFIRMED, HOLDS, 0.4) for d in DIRECTIONS])
    page = BeautifulSoup(tables(found), "html.parser")
    assert all(direction in page.get_text() for direction in DIRECTIONS)
    assert [text.get_text().split("  ")[0] for text in verdicts(found).axes[0].get_yticklabels()] == OF_ONE
