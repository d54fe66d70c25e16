"""The ledger of models: verdicts on concepts, and on refusals."""

import pandas as pd

from tests.questions.claims.refused import made
from xlv.questions.claims import table
from xlv.questions.claims.ledger import CLAIMS, judged
from xlv.questions.claims.verdicts import MOVED, OF_CONTROL, OF_TWO, WORSE


def test_a_ledger_has_verdicts_by_concept(recognition, consistency):
    found = judged({"m": recognition}, {"m": consistency}, {})
    assert found.titles == {"m": "My model"} and found.unjudged == []
    assert set(found.verdicts["concept"]) == {"morality", "fairness"}  # tense is no value
    assert found.rows("1a", "m")["cohort"].tolist() == ["second"] * 2 and set(found.verdicts["model"]) == {"m"}
    pd.testing.assert_frame_equal(found.findings, table.findings({"m": recognition}, {"m": consistency}))


def test_results_of_an_earlier_version_have_no_verdicts(recognition, consistency):
    old = recognition.drop_vars(["cohort_accuracy", "replicate", "surplus", "cohort_surface"])
    found = judged({"m": old}, {"m": consistency}, {})
    assert found.unjudged == ["My model"] and len(found.verdicts) == 0 and len(found.rows("1a", "m")) == 0


def test_control_is_judged_where_it_was_measured(recognition, consistency):
    ledger = judged({"m": recognition}, {"m": consistency}, {"m": made()})
    rows = ledger.verdicts[ledger.verdicts["claim"].isin(OF_CONTROL)]
    assert set(rows["model"]) == {"m"} and set(rows["concept"]) == {"harmfulness"} and len(rows) == 5
    eighth = ledger.rows("8c", "m").iloc[0]
    assert (eighth["status"], eighth["verdict"], eighth["cohort"]) == ("confirmed", "holds", "second")
    old = judged({"m": recognition.drop_vars("cohort_accuracy")}, {"m": consistency}, {"m": made()})
    assert old.unjudged == ["My model"] and len(old.rows("8a", "m")) == 2


def test_every_claim_has_words_with_the_numbers_by_which_it_is_judged():
    assert all(set(words) == {"says", "statistic", "rule"} for words in CLAIMS.values()) and set(OF_TWO) < set(CLAIMS)
    assert all("olds if" in words["rule"] and "does not hold" in words["rule"] for words in CLAIMS.values())
    words = "".join(CLAIMS[claim]["rule"] for claim in OF_CONTROL)
    assert all(f"{number:.2f}" in words for number in (MOVED, WORSE))
