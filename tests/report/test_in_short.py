import pytest

from xlv.questions.claims.rules import CLAIMS, FAILS, HOLDS, OPEN
from xlv.questions.claims.verdicts import Finding
from xlv.report.in_short import MEASURES, line, tally

TITLES = {"a": "Model A (Q4_1)", "b": "Model B"}
FOUND = {
    "a": [Finding(1, 13.0, 12.0, 15.0, HOLDS), Finding(5, 0.01, -0.01, 0.015, FAILS)],
    "b": [Finding(1, 3.0, 1.0, 9.0, OPEN), Finding(5, *[float("nan")] * 3, OPEN, "not asked")],
}


def test_a_line_has_the_number_and_the_verdict_of_each_model():
    words = line(1, FOUND, TITLES)
    assert "**13** (Model A), **3** (Model B)." in words
    assert words.endswith("The paper's claim: *holds* for Model A; *cannot be told* for Model B.")


def test_a_claim_without_a_number_has_a_verdict_all_the_same():
    words = line(5, FOUND, TITLES)
    assert "**+0.010** (Model A). The paper's claim: *does not hold* for Model A; *cannot be told*" in words


def test_one_verdict_of_all_models_is_said_once():
    assert line(1, {"a": FOUND["a"]}, TITLES).endswith("The paper's claim: *holds* for all models.")


def test_all_verdicts_are_counted():
    assert tally(FOUND) == "Of 4 verdicts, one a claim and model, 1 *holds*, 1 *does not hold*, 2 *cannot be told*."


@pytest.mark.parametrize("claim", MEASURES)
def test_the_home_page_asks_of_claims_that_there_are(claim):
    assert claim in CLAIMS
