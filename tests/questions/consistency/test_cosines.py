"""Consistency of vectors whose true cosine is known."""

import numpy as np
import pytest

from xlv.questions.consistency.cosines import consistency, cosines, of_moments
from xlv.questions.consistency.moments import moments
from xlv.questions.consistency.pooled import pooled

N_PAIRS, WIDTH = 80, 32
GROUPS = np.arange(N_PAIRS) // 2


def states(cosine: float, seed: int = 0, effect: float = 2.5, shared_noise: float = 0.0, n: int = 2) -> np.ndarray:
    """States of languages whose true vectors have this cosine; `shared_noise` makes translations of a pair alike."""
    generator, axes = np.random.default_rng(seed), np.eye(WIDTH)[: n + 1]
    vectors = effect * (np.sqrt(cosine) * axes[0] + np.sqrt(1 - cosine) * axes[1:])
    positive = vectors[:, None] + generator.normal(size=(n, N_PAIRS, WIDTH))
    positive += shared_noise * generator.normal(size=(1, N_PAIRS, WIDTH))
    return np.concatenate([positive, np.zeros_like(positive)], axis=1)


def test_plain_cosine_equals_that_of_explicit_vectors():
    generator = np.random.default_rng(0)
    means = generator.normal(size=(3, 8)) + 0.5
    expected = means @ means.T / np.outer(*[np.linalg.norm(means, axis=1)] * 2)
    np.testing.assert_allclose(cosines(means), expected, atol=1e-5)


@pytest.mark.parametrize("true", [0.0, 0.5, 0.9])
def test_pooled_and_pairwise_consistency_are_the_true_cosine_where_the_plain_one_is_not(true):
    found = [consistency(states(true, seed, shared_noise=1.0), GROUPS) for seed in range(20)]
    assert all(one.readable.all() for one in found)
    assert np.mean([one.rho for one in found]) == pytest.approx(true, abs=0.06)
    assert np.mean([one.pairwise[0, 1] for one in found]) == pytest.approx(true, abs=0.06)
    assert np.mean([one.low <= true <= one.high for one in found]) >= 0.8
    plain = [cosines(states(true, seed, shared_noise=1.0)[:, :N_PAIRS].mean(axis=1))[0, 1] for seed in range(20)]
    assert true > 0 or np.mean(plain) > 0.05


def test_a_language_without_a_vector_is_not_readable_and_has_no_cell():
    material = states(0.5, n=3)
    material[1] = np.random.default_rng(1).normal(size=material[1].shape)
    found = consistency(material, GROUPS)
    assert list(found.readable) == [True, False, True] and np.isfinite(found.rho)
    assert np.isnan(found.pairwise[1]).all() and np.isfinite(found.pairwise[0, 2])
    np.testing.assert_allclose(found.pairwise, found.pairwise.T)


def test_with_fewer_than_two_readable_languages_in_a_half_there_is_no_rho():
    material = states(0.5)
    material[1] = np.random.default_rng(1).normal(size=material[1].shape)
    for given in (material, material[:1]):
        found = consistency(given, GROUPS)
        assert np.isnan([found.rho, found.low, found.high]).all() and found.readable[0]


def test_consistency_of_labelled_states_is_that_of_their_differences():
    material = states(0.5)
    found = consistency(material, [f"situation {group}" for group in GROUPS], seed=3)
    differences = material[:, :N_PAIRS] - material[:, N_PAIRS:]
    expected = moments([differences] * 2, GROUPS, 3)
    np.testing.assert_array_equal(found.pairwise, of_moments(expected).pairwise)
    assert found.rho == pooled(expected).rho
    assert consistency(material).rho != found.rho != consistency(material, GROUPS).rho  # other situations, other halves


def test_too_few_situations_or_names_are_refused():
    with pytest.raises(ValueError, match="at least 4 groups"):
        consistency(states(0.5), ["one", "other"] * (N_PAIRS // 2))
    with pytest.raises(ValueError, match="a group for each of 80 pairs, got 2"):
        consistency(states(0.5), ["one", "other"])
