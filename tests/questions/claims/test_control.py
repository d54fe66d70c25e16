"""Claim 8 on results whose answer is known."""

import numpy as np
import pytest

from tests.questions.claims.refused import RATES, made
from xlv.questions.claims.control import finding, findings, gained_by_language, mean_change
from xlv.questions.claims.verdicts import FAILS, HOLDS, NOT_ASKED, UNDECIDED, WORSE
from xlv.questions.control.gated import CARRIED
from xlv.schema import BASELINE, DIRECTIONS, FOLLOWING, REFUSING

NONE = np.zeros((3, 40))


def found(dataset, cohort="all"):
    return {(one.claim, part): one for known, part, one in findings(dataset) if known == cohort}


def test_control_that_acts_on_both_kinds_moves_refusals_and_only_its_gate_distinguishes():
    known = found(made())
    assert known["8a", REFUSING].verdict == known["8a", FOLLOWING].verdict == HOLDS
    assert known["8a", REFUSING].value == pytest.approx(0.5, abs=0.1)
    assert known["8b", FOLLOWING].verdict == FAILS and known["8b", REFUSING].verdict != HOLDS
    assert known["8c", REFUSING].verdict == HOLDS and known["8c", REFUSING].value > 0.2
    assert set(known) == {(claim, d) for claim in ("8a", "8b") for d in DIRECTIONS} | {("8c", REFUSING)}
    assert all(one.low < one.value < one.high for one in known.values())


def test_a_gate_that_does_not_know_harm_gains_nothing():
    known = found(made(harm=0.0, rates=RATES | {REFUSING: (0.6, 0.4)}))
    assert known["8c", REFUSING].verdict != HOLDS and known["8c", REFUSING].high < 0.15


def test_vectors_that_do_no_more_than_others_fail():
    dataset = made()
    for name in ("random 1", "sentiment vector"):
        outcome = dataset["outcome"].copy()
        outcome.loc[{"condition": f"{name} ({REFUSING})"}] = outcome.sel(condition=REFUSING).values
        assert found(dataset.assign(outcome=outcome))["8a", REFUSING].verdict == FAILS


def test_cohorts_are_told_by_ids_and_instructions_of_ones_own_have_none():
    dataset = made()
    for cohort, part in (("first", slice(25, 64)), ("second", slice(65, 104))):
        assert found(dataset, cohort) == found(dataset.sel(prompt=part), cohort)
    assert found(made(range(65, 105)), "second") == found(made(range(65, 105))) and not found(
        made(range(65, 105)), "first"
    )
    assert {cohort for cohort, *_ in findings(dataset.assign_attrs(settings='{"data": "mine"}'))} == {"all"}


def test_languages_that_do_not_respond_and_the_source_do_not_count():
    dataset = made()
    outcome = dataset["outcome"].copy()
    outcome.loc[{"target": ["en", "ta"]}] = 0
    assert found(dataset.assign(outcome=outcome)) == found(dataset)
    deaf = found(made(deaf=("zh", "fr", "ta")))
    assert all(one.verdict == NOT_ASKED and "respond to harm" in one.why for one in deaf.values())


def test_what_was_not_measured_is_not_asked():
    dataset = made()
    old = dataset.drop_vars(["projection", "split_projection", "split_score", "gate_threshold"])
    few = made(range(90, 105))
    lacking = {"again": old, "no completions": dataset.assign(outcome=dataset["outcome"] * 0 - 1), "16 instr": few}
    for why, results in lacking.items():
        assert all(one.verdict == NOT_ASKED and why in one.why for one in found(results).values())
    alone = found(dataset.sel(condition=[BASELINE, *DIRECTIONS]))
    assert alone["8a", REFUSING].verdict == NOT_ASKED and alone["8b", FOLLOWING].verdict == FAILS
    ungenerated = dataset["outcome"].copy()
    ungenerated.loc[{"condition": f"random 1 ({REFUSING})", "target": "zh"}] = -1
    left = found(dataset.assign(outcome=ungenerated))["8a", REFUSING]
    assert left == found(dataset.sel(target=["en", "fr"]))["8a", REFUSING]


def test_broken_completions_speak_against_control():
    moved = np.where(np.arange(40) < 20, 1.0, 0.0) * np.ones((3, 1))
    spoilt = np.where(np.arange(40) < 3, 1.0, 0.0) * np.ones((3, 1))
    assert finding("8a", [moved], NONE).verdict == HOLDS
    some = finding("8a", [moved], spoilt)
    assert some.verdict == UNDECIDED and some.why == "8% more of the completions are broken"
    assert finding("8a", [moved], moved).verdict == FAILS
    assert found(made(broken={REFUSING: 0.3}))["8c", REFUSING].verdict == FAILS  # they break behind the gate as well


def test_intervals_are_those_of_flipped_signs_and_have_a_width_where_nothing_changed():
    nothing = mean_change(np.zeros((1, 40)))
    assert nothing.low == -nothing.high < -0.03 and nothing.p == 1
    changes = np.random.default_rng(0).normal(0.3, 0.2, size=(4, 30))
    found = mean_change(changes)
    error = changes.mean(axis=0).std(ddof=1) / 30**0.5
    assert found.value == pytest.approx(changes.mean())
    assert 1.9 < (found.high - found.low) / 2 / error < 4.5 and found.p < 0.001
    assert mean_change(-changes).high == pytest.approx(-found.low, abs=0.02)


def test_gains_by_language_are_adjusted_over_languages_other_than_the_source():
    dataset = made()
    table = gained_by_language(dataset)
    assert list(table.index) == ["zh", "fr", "ta"] and (table["p_holm"] >= table["p"]).all()
    assert ((table["low"] < table["gain"]) & (table["gain"] < table["high"])).all()
    assert gained_by_language(dataset.drop_vars("projection")).empty
    judged = table.loc[["zh", "fr"], "gain"].mean()
    assert found(dataset)["8c", REFUSING].value == pytest.approx(judged) and CARRIED and WORSE
