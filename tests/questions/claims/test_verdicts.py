"""False alarms and power of the claims' rules, on material whose answer is known; `make simulate` runs more of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.questions import planted
from xlv.questions.claims import verdicts as claims
from xlv.questions.claims.rules import CLAIMS, FAILS, GATED, HOLDS, OPEN
from xlv.questions.claims.verdicts import Finding, balanced, controllable, encoded, judge, one_sided, scaled
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
    assert share(planted_verdicts(first, planted.noise, n_planted, n_concepts=14), FAILS) >= 0.8


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
