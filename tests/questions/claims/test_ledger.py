"""The ledger of models: verdicts on concepts, and claim 8 on material whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from tests.control.measured import found
from xlv.questions.claims import table
from xlv.questions.claims.ledger import CLAIMS, CONTROL, OF_TWO, ROOM, SHIFT, controllable, judged
from xlv.questions.claims.verdicts import FAILS, HOLDS, NOT_ASKED
from xlv.questions.control.rates import moves

__all__ = ["found"]


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def share(verdicts: list[str], wanted: str = HOLDS) -> float:
    return sum(verdict == wanted for verdict in verdicts) / len(verdicts)


def outcomes(random: np.random.Generator, base: np.ndarray, effect: float) -> pd.DataFrame:
    """Forty prompts in each language: refusals without and with control, drawn independently."""
    from scipy.stats import binomtest

    before = random.uniform(size=(len(base), 40)) < base[:, None]
    after = random.uniform(size=before.shape) < np.clip(base + effect, 0, 1)[:, None]
    change = after.astype(float) - before
    spread = 1.96 * change.std(axis=1) / np.sqrt(40)
    gained, lost = (after & ~before).sum(axis=1), (before & ~after).sum(axis=1)
    p = np.array([binomtest(int(g), int(g + k)).pvalue if g + k else 1.0 for g, k in zip(gained, lost, strict=True)])
    mean = change.mean(axis=1)
    found = {"before": before.mean(axis=1), "change": mean, "low": mean - spread, "high": mean + spread, "p": p}
    return pd.DataFrame(found).assign(random=0.0, broken=0.0)


@pytest.mark.simulate
def test_control_that_moves_refusals_holds_and_control_that_does_not_fails(runs):
    seeds = range(runs(40, sample=10))
    moved = [controllable({"d": outcomes(generator(s), np.full(8, 0.4), 0.4)}).verdict for s in seeds]
    still = [controllable({"d": outcomes(generator(s), np.full(8, 0.5), -0.3)}).verdict for s in seeds]
    assert share(moved) >= 0.8 and share(still) == 0 and share(still, FAILS) >= 0.8


@pytest.mark.simulate
def test_control_that_does_nothing_holds_in_no_more_than_five_of_a_hundred_runs(runs):
    seeds = range(runs(400, sample=40))
    found = [
        controllable({name: outcomes(generator(s), np.full(8, 0.4), 0.0) for name in ("one", "other")}) for s in seeds
    ]
    assert share([one.verdict for one in found]) <= 0.05


def test_control_without_room_or_without_random_vectors_is_not_asked():
    crowded = outcomes(generator(0), np.full(8, 0.95), 0.0)
    alone = outcomes(generator(0), np.full(8, 0.4), 0.4).assign(random=np.nan)
    for directions, why in (({"d": crowded}, "fewer than two languages"), ({"d": alone}, "no random"), ({}, "not put")):
        found = controllable(directions)
        assert found.verdict == NOT_ASKED and why in found.why


def test_random_vectors_that_do_as_much_and_broken_completions_speak_against_control():
    found = outcomes(generator(0), np.full(8, 0.4), 0.4)
    assert controllable({"d": found.assign(random=found["change"])}).verdict != HOLDS
    assert controllable({"d": found.assign(broken=0.3)}).verdict != HOLDS


def test_a_ledger_has_verdicts_by_concept_and_claim_8_by_model(recognition, consistency):
    found = judged({"m": recognition}, {"m": consistency}, {})
    assert found.titles == {"m": "My model"} and found.unjudged == []
    assert set(found.verdicts["concept"]) == {"morality", "fairness"}  # tense is no value
    assert found.rows("1a", "m")["cohort"].tolist() == ["second"] * 2 and set(found.verdicts["model"]) == {"m"}
    pd.testing.assert_frame_equal(found.findings, table.findings({"m": recognition}, {"m": consistency}))
    assert found.control["m"] == controllable({})


def test_results_of_an_earlier_version_have_no_verdicts(recognition, consistency):
    old = recognition.drop_vars(["cohort_accuracy", "replicate", "surplus", "cohort_surface"])
    found = judged({"m": old}, {"m": consistency}, {})
    assert found.unjudged == ["My model"] and len(found.verdicts) == 0 and len(found.rows("1a", "m")) == 0


def test_control_is_judged_where_it_was_measured(recognition, consistency, found):
    ledger = judged({"m": recognition}, {"m": consistency}, {"m": found["chat"]})
    assert ledger.control["m"] == controllable(moves(found["chat"]))


def test_every_claim_has_words_with_the_numbers_by_which_it_is_judged():
    assert all(set(words) == {"says", "statistic", "rule"} for words in CLAIMS.values()) and set(OF_TWO) < set(CLAIMS)
    assert all("olds if" in words["rule"] and "does not hold" in words["rule"] for words in CLAIMS.values())
    words = CLAIMS[CONTROL]["statistic"] + CLAIMS[CONTROL]["rule"]
    assert all(f"{number:g}" in words for number in (*ROOM, SHIFT))
