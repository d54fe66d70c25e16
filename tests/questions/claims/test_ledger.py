"""The ledger: false alarms and power of its rules on material whose answer is known, and what results hold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.questions import planted
from xlv.corpus.languages import KINDS
from xlv.questions.claims import ledger as claims
from xlv.questions.claims.ledger import (
    Finding,
    balanced,
    controllable,
    encoded,
    evidence,
    findings,
    judge,
    one_sided,
    read,
    scaled,
)
from xlv.questions.claims.rules import CLAIMS, FAILS, GATED, HOLDS, OPEN
from xlv.questions.common import value_accuracy
from xlv.questions.consistency.tables import consistency_matrix, consistency_summary
from xlv.questions.recognition.tables import own_accuracy, own_estimate
from xlv.questions.transfer.tables import transfer_summary
from xlv.statistics.resampling import Estimate


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def n_planted(runs) -> int:
    return runs(40, sample=10)


def share(verdicts: list[str], wanted: str = HOLDS) -> float:
    return sum(verdict == wanted for verdict in verdicts) / len(verdicts)


def own(evidence: claims.Evidence) -> Estimate:
    return evidence.accuracy.of(lambda a: np.diagonal(a, axis1=-2, axis2=-1))


def first(evidence: claims.Evidence) -> Finding:
    return encoded(own(evidence), evidence.surface)


def planted_verdicts(claim, make, n_runs: int, **options) -> list[str]:
    return [claim(planted.evidence(generator(1000 + seed), make, **options)).verdict for seed in range(n_runs)]


@pytest.mark.simulate
def test_on_pure_noise_no_claim_holds_more_often_than_in_five_of_a_hundred_runs(runs):
    n_noise = runs(400, sample=40)
    held = dict.fromkeys(CLAIMS, 0)
    alone = dict.fromkeys((5, 7), 0)
    before = own(planted.evidence(generator(n_noise), planted.noise))
    for seed in range(n_noise):
        evidence = planted.evidence(generator(seed), planted.noise)
        control = controllable(noisy_control(generator(seed)))
        for finding in [*judge(evidence), scaled(own(evidence), before), control]:
            held[finding.claim] += finding.verdict == HOLDS
        fifth = one_sided(evidence)  # also without the gate, which keeps claims 3 to 7 shut on noise
        alone[5] += fifth.verdict == HOLDS
        alone[7] += claims.beyond_own(evidence, fifth).verdict == HOLDS
        before = own(evidence)
    assert max(held.values()) <= 0.05 * n_noise, held
    assert max(alone.values()) <= 0.05 * n_noise, alone


@pytest.mark.simulate
def test_concepts_in_all_languages_are_found_to_be_encoded_and_absent_ones_are_not(n_planted):
    assert share(planted_verdicts(first, planted.concept, n_planted, shared=2.0)) >= 0.8
    assert share(planted_verdicts(first, planted.noise, n_planted, n_concepts=20), FAILS) >= 0.8


@pytest.mark.simulate
def test_a_stronger_concept_is_found_to_be_stronger(n_planted):
    def compared(seed: int) -> str:
        found = (planted.evidence(generator(seed), planted.concept, shared=strength) for strength in (0.5, 1.5))
        return scaled(*map(own, found)).verdict

    assert share([compared(seed) for seed in range(n_planted)]) >= 0.8


@pytest.mark.simulate
def test_directions_of_each_language_s_own_are_found_inconsistent_and_a_shared_one_consistent(n_planted):
    def third(evidence):
        return next(f for f in judge(evidence) if f.claim == 3)

    assert share(planted_verdicts(third, planted.concept, n_planted, shared=1.5, own=3.0)) >= 0.8
    assert share(planted_verdicts(third, planted.concept, n_planted, shared=6.0), FAILS) >= 0.8


@pytest.mark.simulate
def test_planted_one_way_transfer_holds_and_its_transpose_does_not(n_planted):
    """Seven concepts and sixteen languages, as in the corpus."""
    found = [judge(planted.evidence(generator(s), planted.one_way, n_concepts=7)) for s in range(n_planted // 2)]
    by_claim = {number: [f for run in found for f in run if f.claim == number] for number in (5, 7)}
    assert share([f.verdict for f in by_claim[5]]) >= 0.8
    assert share([f.verdict for f in by_claim[7]]) >= 0.8
    turned = [
        one_sided(planted.evidence(generator(s), planted.one_way, n_concepts=7, downwards=False))
        for s in range(max(3, n_planted // 8))
    ]
    assert all(f.verdict == FAILS for f in turned)
    assert all(f.value > 0 for f in by_claim[5]) and all(f.value < 0 for f in turned)


@pytest.mark.simulate
def test_transfer_between_equals_is_found_balanced(n_planted):
    assert share(planted_verdicts(balanced, planted.concept, n_planted, shared=4.0)) >= 0.8


@pytest.mark.simulate
def test_resources_that_shift_whole_languages_are_found_to_distort(n_planted):
    """Pairs with a dominant language are more alike throughout: it hides in the direct correlation only."""
    evidence, n = planted.evidence(generator(0), planted.concept, shared=4.0), 16

    def distorted(seed: int) -> str:
        similarity = {k: planted.similarity(generator(10 * seed + i), n) for i, k in enumerate("abcd")}
        consistency = np.mean(list(similarity.values()), axis=0)
        dominant = np.arange(n) < 4
        touching = dominant[:, None] | dominant[None, :]
        shifted = replace(evidence, consistency=consistency + 0.5 * touching, similarity=similarity, dominant=dominant)
        return claims.distorted(shifted).verdict

    assert share([distorted(seed) for seed in range(n_planted)]) >= 0.8


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


def noisy_control(random: np.random.Generator) -> dict[str, pd.DataFrame]:
    return {name: outcomes(random, np.full(8, 0.4), 0.0) for name in ("one", "other")}


@pytest.mark.simulate
def test_control_that_moves_refusals_holds_and_control_that_does_not_fails(n_planted):
    moved = [controllable({"d": outcomes(generator(s), np.full(8, 0.4), 0.4)}).verdict for s in range(n_planted)]
    still = [controllable({"d": outcomes(generator(s), np.full(8, 0.5), -0.3)}).verdict for s in range(n_planted)]
    assert share(moved) >= 0.8 and share(still) == 0 and share(still, FAILS) >= 0.8


def test_control_without_room_or_without_random_vectors_cannot_be_told():
    crowded = outcomes(generator(0), np.full(8, 0.95), 0.0)
    assert controllable({"d": crowded}).verdict == OPEN
    alone = outcomes(generator(0), np.full(8, 0.4), 0.4).assign(random=np.nan)
    assert controllable({"d": alone}).verdict == OPEN
    assert controllable({}).verdict == OPEN


def test_random_vectors_that_do_as_much_and_broken_completions_speak_against_control():
    found = outcomes(generator(0), np.full(8, 0.4), 0.4)
    assert controllable({"d": found.assign(random=found["change"])}).verdict != HOLDS
    assert controllable({"d": found.assign(broken=0.3)}).verdict != HOLDS


@pytest.mark.parametrize("reliability", [0.1, 0.9])
def test_the_gate_shuts_where_half_vectors_disagree(reliability):
    evidence = planted.evidence(generator(3), planted.concept, shared=4.0)
    evidence = replace(evidence, reliability=np.full(planted.N_LANGUAGES, reliability))
    gated = [f for f in judge(evidence) if f.claim in GATED]
    assert all(isinstance(f, Finding) and np.isfinite(f.value) for f in gated if f.claim != 4)
    shut = [f.why == "half vectors agree in 0 of 8 languages only" for f in gated]
    assert all(shut) if reliability < 0.3 else not any(shut)


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
    better = recognition.assign(accuracy=recognition["accuracy"] + 0.05)
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
