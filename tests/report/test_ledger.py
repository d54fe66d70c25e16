import numpy as np
import pytest
from bs4 import BeautifulSoup

from tests.report.judged import ledger
from xlv.questions.claims.ledger import judged
from xlv.questions.claims.table import CONFIRMED, tally
from xlv.questions.claims.verdicts import HOLDS
from xlv.report.ledger import KINDS, OF_ONE, comparisons, counts, kinds, number, tables, verdicts
from xlv.schema import DIRECTIONS


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
    assert tables(old) == ""


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


def test_claim_8_is_told_by_direction():
    found = ledger(control=[("a", "harmfulness", d, "8a", CONFIRMED, HOLDS, 0.4) for d in DIRECTIONS])
    page = BeautifulSoup(tables(found), "html.parser")
    assert all(direction in page.get_text() for direction in DIRECTIONS)
    assert [text.get_text().split("  ")[0] for text in verdicts(found).axes[0].get_yticklabels()] == OF_ONE
