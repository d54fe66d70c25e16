import pytest

from xlv.analysis.claims import Finding
from xlv.analysis.rules import CLAIMS, FAILS, HOLDS, OPEN
from xlv.report.in_short import MEASURES, line, tally

TITLES = {"a": "Model A (Q4_1)", "b": "Model B"}
FOUND = {
    "a": [Finding(1, 13.0, 12.0, 15.0, HOLDS), Finding(5, 0.01, -0.01, 0.015, FAILS)],
    "b": [Finding(1, 3.0, 1.0, 9.0, OPEN), Finding(5, *[float("nan")] * 3, OPEN, "not asked")],
}


def test_a_line_has_the_number_and_the_verdict_of_each_model():
    words = line(1, FOUND, TITLES)
    assert "Model A **13 (12 to 15)**, *holds*; Model B **3 (1 to 9)**, *cannot be told*." in words


def test_a_claim_without_a_number_says_so():
    assert "Model A **+0.010 (-0.010 to +0.015)**, *does not hold*; Model B not measured" in line(5, FOUND, TITLES)


def test_all_verdicts_are_counted():
    assert tally(FOUND) == "Of 4 verdicts, one a claim and model, 1 *holds*, 1 *does not hold*, 2 *cannot be told*."


@pytest.mark.parametrize("claim", MEASURES)
def test_the_home_page_asks_of_claims_that_there_are(claim):
    assert claim in CLAIMS
