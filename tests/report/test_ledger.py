import pytest

from xlv.questions.claims.ledger import findings
from xlv.questions.claims.rules import CLAIMS, FAILS, HOLDS, OPEN
from xlv.questions.claims.verdicts import Finding
from xlv.report.ledger import ledger, of, statistic, value, verdicts


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
