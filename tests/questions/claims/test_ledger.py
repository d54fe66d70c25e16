"""The ledger judges what results hold: the evidence is that of the tables and figures."""

import numpy as np
import pandas as pd
import pytest

from xlv.corpus.languages import KINDS
from xlv.questions.claims.ledger import evidence, findings, read
from xlv.questions.claims.rules import FAILS, HOLDS, OPEN
from xlv.questions.claims.verdicts import controllable, judge
from xlv.questions.common import value_accuracy
from xlv.questions.consistency.tables import consistency_matrix, consistency_summary
from xlv.questions.recognition.tables import own_accuracy, own_estimate
from xlv.questions.transfer.tables import transfer_summary


@pytest.fixture
def found(recognition, consistency):
    return findings({"large": recognition}, {"large": consistency}, {}, {"small": recognition, "large": recognition})


def test_evidence_is_what_tables_hold(recognition, consistency):
    given = evidence(recognition, consistency)
    np.testing.assert_array_equal(given.accuracy.value, value_accuracy(recognition).value)
    np.testing.assert_allclose(given.surface.value, own_accuracy(recognition)["surface"])
    np.testing.assert_array_equal(given.consistency, consistency_matrix(consistency))
    assert given.surface.samples.shape == (400, 5) and given.corrected.shape == (400,)
    assert given.reliability.shape == (5,) and list(given.similarity) == list(KINDS)
    assert list(given.ranks) == [0, 1, 2, 3, 4] and list(given.dominant) == [True, False, False, False, False]


def test_every_claim_of_every_model_is_judged(found, recognition, consistency):
    assert [f.claim for f in found["large"]] == list(range(1, 9))
    assert all(f.verdict in (HOLDS, FAILS, OPEN) for f in found["large"])
    first, *others = judge(evidence(recognition, consistency))
    assert found["large"][0] == first and [f.claim for f in others] == [3, 4, 5, 6, 7]


def test_a_planted_concept_is_encoded_and_its_numbers_are_those_of_the_tables(found, recognition, consistency):
    first, _, third, _, fifth, sixth, *_ = found["large"]
    assert first.verdict == HOLDS and first.value == 5
    assert third.value == pytest.approx(consistency_summary({"m": consistency}).loc["My model", "corrected"])
    assert fifth.value == sixth.value == transfer_summary({"m": recognition}).loc["My model", "U"]


def test_of_two_equal_models_of_a_series_the_larger_is_no_better(found, recognition, consistency):
    second = found["large"][1]
    assert second.value == 0 and second.low == second.high == 0 and second.verdict == FAILS
    alone = findings({"one": recognition}, {"one": consistency}, {}, {})["one"][1]
    assert alone.verdict == OPEN and "not the larger of two models" in alone.why


def test_the_second_model_of_a_series_is_the_larger(recognition, consistency):
    better = recognition.assign(accuracy=recognition["accuracy"] + 0.05, resampled=recognition["resampled"] + 0.05)
    second = findings({"large": better}, {"large": consistency}, {}, {"small": recognition, "large": better})["large"][
        1
    ]
    assert second.value == pytest.approx(0.05) and second.verdict == HOLDS
    turned = findings({"large": recognition}, {"large": consistency}, {}, {"small": better, "large": recognition})
    assert turned["large"][1].value == pytest.approx(-0.05) and turned["large"][1].verdict == FAILS


def test_control_is_judged_where_it_was_asked(recognition, consistency, found):
    assert found["large"][7].verdict == OPEN and "question 4 was not asked" in found["large"][7].why
    numbers = {"before": 0.4, "change": 0.3, "low": 0.2, "high": 0.4, "p": 0.0, "random": 0.0, "broken": 0.0}
    moved = pd.DataFrame(numbers, index=range(4))
    for moves, verdict in ((moved, HOLDS), (moved.assign(broken=0.5, high=0.0), FAILS)):
        asked = findings({"m": recognition}, {"m": consistency}, {"m": {"towards refusing": moves}}, {})["m"][7]
        assert asked.verdict == verdict and asked.value == controllable({"towards refusing": moves}).value


@pytest.mark.parametrize("protocol", ["cv", "paper"])
def test_languages_are_counted_as_for_claim_1_under_either_protocol(recognition, consistency, protocol):
    found = read(recognition, protocol)
    own, surface = own_estimate(recognition, protocol).value, own_accuracy(recognition)["surface"].to_numpy()
    assert found.claim == 1 and found.value == ((own > 0.6) & (own > surface)).sum()
    assert found.low <= found.value <= found.high
    if protocol == "cv":
        assert found == judge(evidence(recognition, consistency))[0]
