"""Cosines between vectors of two languages whose true cosine is known."""

import numpy as np
import pytest

from xlv.questions.consistency.cosines import consistency, cosines, half_cosines

N_PAIRS, WIDTH = 80, 32
GROUPS = np.arange(N_PAIRS) // 2


def pairs(cosine: float, seed: int = 0, effect: float = 2.5, shared_noise: float = 0.0):
    """Two languages whose true vectors have the given cosine; `shared_noise` makes translations of a pair alike."""
    generator = np.random.default_rng(seed)
    vectors = np.zeros((2, WIDTH))
    vectors[0, 0] = effect
    vectors[1, :2] = effect * cosine, effect * np.sqrt(1 - cosine**2)
    pair_noise = shared_noise * generator.normal(size=(1, N_PAIRS, WIDTH))
    return vectors[:, None] + generator.normal(size=(2, N_PAIRS, WIDTH)) + pair_noise


def test_plain_cosine_equals_that_of_explicit_vectors():
    generator = np.random.default_rng(0)
    diffs = generator.normal(size=(3, 20, 8)) + 0.5
    means = diffs.mean(axis=1)
    expected = means @ means.T / np.outer(*[np.linalg.norm(means, axis=1)] * 2)
    np.testing.assert_allclose(cosines(means), expected, atol=1e-5)


@pytest.mark.simulate
@pytest.mark.parametrize("true", [0.0, 0.5, 0.9])
def test_correction_recovers_the_true_cosine_where_plain_cosines_are_attenuated(true, runs):
    seeds = range(runs(1000, sample=60))
    corrected = np.mean([half_cosines(pairs(true, seed), GROUPS, n_splits=60).corrected[0, 1] for seed in seeds])
    assert abs(corrected - true) < 0.06
    if true == 0.9:
        assert np.mean([cosines(pairs(true, seed).mean(axis=1))[0, 1] for seed in range(12)]) < 0.87


def test_what_translations_share_does_not_pass_for_consistency():
    plain = np.mean([cosines(pairs(0.0, seed, shared_noise=2.0).mean(axis=1))[0, 1] for seed in range(12)])
    corrected = np.mean(
        [half_cosines(pairs(0.0, seed, shared_noise=2.0), GROUPS).corrected[0, 1] for seed in range(12)]
    )
    assert plain > 0.12 and abs(corrected) < 0.06


def test_a_language_without_a_vector_says_nothing():
    found = half_cosines(pairs(0.5, effect=0.0), GROUPS)
    assert np.isnan(found.corrected[0, 1]) and np.isnan(found.mean).all()


def test_too_few_groups_are_refused():
    with pytest.raises(ValueError, match="at least 4 groups"):
        half_cosines(pairs(0.5), np.zeros(N_PAIRS, dtype=int))


def test_halves_heed_the_seed():
    material = pairs(0.5)
    one, same, other = (half_cosines(material, GROUPS, seed=seed) for seed in (0, 0, 1))
    for name in ("corrected", "reliability"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
        assert (getattr(one, name) != getattr(other, name)).any()


def test_half_vectors_never_come_from_the_same_pairs():
    """Pairs that alone hold a language's concept cannot agree with themselves."""
    material = np.zeros((2, 8, WIDTH))
    material[:, 0, 0] = 100.0
    material += np.random.default_rng(0).normal(size=material.shape)
    found = half_cosines(material, np.arange(8), n_splits=200)
    assert cosines(material.mean(axis=1))[0, 1] > 0.95 and np.abs(found.agreement).max() < 0.9
    assert np.isnan(found.corrected[0, 1])


def test_a_summary_holds_intervals_about_its_values():
    found = half_cosines(pairs(0.5, effect=4.0), GROUPS, n_splits=100)
    assert (found.low <= found.corrected).all() and (found.corrected <= found.high).all()
    np.testing.assert_allclose(found.corrected, found.corrected.T)
    assert found.mean.shape == found.agreement.shape == (100,)
    assert np.median(found.mean) == pytest.approx(found.corrected[0, 1])


def test_the_interval_of_a_layer_holds_its_value_and_narrows_where_the_vector_is_clearer():
    found = [half_cosines(pairs(0.5, effect=effect), GROUPS, n_splits=40) for effect in (2.0, 6.0)]
    for values in ([f.mean for f in found], [f.agreement for f in found]):
        low, high = np.nanquantile(values, [0.025, 0.975], axis=1)
        assert (high - low)[1] < (high - low)[0] / 1.5


def test_consistency_of_labelled_states_is_that_of_their_differences():
    states = np.random.default_rng(0).normal(size=(2, 2 * N_PAIRS, WIDTH))
    states[:, :N_PAIRS, 0] += 4
    found = consistency(states, [f"situation {group}" for group in GROUPS])
    expected = half_cosines(states[:, :N_PAIRS] - states[:, N_PAIRS:], GROUPS)
    np.testing.assert_array_equal(found.corrected, expected.corrected)
    assert found.corrected[0, 1] > 0.8
    alone = consistency(states, seed=1)  # each pair is a situation of its own
    assert (alone.mean != found.mean).any() and alone.corrected[0, 1] > 0.8
    with pytest.raises(ValueError, match="at least 4 groups"):
        consistency(states, ["one", "other"] * (N_PAIRS // 2))
