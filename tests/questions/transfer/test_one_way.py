"""Transferability and its one-way parts, on accuracies with planted effects."""

import numpy as np
import pytest
import xarray as xr

from xlv.questions.transfer.one_way import (
    additive,
    among,
    dominant_contrast,
    one_way,
    one_way_estimates,
    permutation_p,
    transferability,
)
from xlv.statistics.resampling import Estimate

RANKS = np.arange(6)


def planted(size: float) -> np.ndarray:
    """Accuracies where each source reads lower-resourced targets better by `size` than the other way round."""
    return 0.7 + size * np.sign(RANKS[None, :] - RANKS[:, None])


def test_transferability_subtracts_the_target_s_own_accuracy():
    accuracy = np.array([[0.9, 0.7], [0.6, 0.5]])
    np.testing.assert_allclose(transferability(accuracy), [[0.0, 0.2], [-0.3, 0.0]])


def test_one_way_splits_into_its_two_parts():
    accuracy = np.random.default_rng(0).uniform(0.5, 1, (6, 6))
    found = one_way(accuracy, RANKS)
    by_hand = np.mean([(t := transferability(accuracy))[i, j] - t[j, i] for i in range(6) for j in range(i + 1, 6)])
    np.testing.assert_allclose(found.total, by_hand)
    np.testing.assert_allclose(found.total, found.crossing + found.own)


def test_planted_one_way_transfer_and_its_transpose_have_opposite_signs():
    forward, backward = one_way(planted(0.1), RANKS), one_way(planted(0.1).T, RANKS)
    assert forward.crossing > 0.19 and backward.crossing < -0.19
    assert permutation_p(planted(0.1), RANKS, n_permutations=500) < 0.01
    assert permutation_p(planted(0.1).T, RANKS, n_permutations=500) > 0.9


def test_one_way_follows_the_ranks_not_the_order_of_the_matrix():
    order = np.array([3, 0, 5, 1, 4, 2])
    shuffled = planted(0.1)[np.ix_(order, order)]
    np.testing.assert_allclose(one_way(shuffled, RANKS[order]).total, one_way(planted(0.1), RANKS).total)


def test_the_dominant_language_s_lead_is_measured_on_the_same_targets():
    accuracy = np.full((5, 5), 0.6)
    accuracy[0, 1:] = 0.8
    np.fill_diagonal(accuracy, 0.95)
    assert dominant_contrast(accuracy, 0) == pytest.approx(0.2)
    assert dominant_contrast(np.stack([accuracy, accuracy.T]), 0) == pytest.approx([0.2, 0.0])
    assert np.isnan(dominant_contrast(accuracy[:2, :2], 0))


def test_the_additive_model_finds_planted_effects_and_ignores_the_diagonal():
    source, target = np.linspace(-0.1, 0.1, 6), np.array([0.02, -0.02, 0.0, 0.05, -0.05, 0.0])
    accuracy = 0.7 + source[:, None] + target[None, :]
    np.fill_diagonal(accuracy, 5.0)
    found = additive(accuracy)
    np.testing.assert_allclose(found.source, source, atol=1e-12)
    np.testing.assert_allclose(found.target, target, atol=1e-12)
    assert found.explained == pytest.approx(1.0)
    assert np.isnan(additive(accuracy[:2, :2]).source).all()


def test_the_p_value_is_the_share_of_permuted_languages_that_reach_u():
    accuracy = np.random.default_rng(3).uniform(0.5, 1, (6, 6))
    generator = np.random.default_rng(7)
    drawn = [one_way(accuracy, generator.permutation(RANKS)).total for _ in range(200)]
    expected = (1 + np.sum(drawn >= one_way(accuracy, RANKS).total - 1e-9)) / 201
    assert permutation_p(accuracy, RANKS, n_permutations=200, seed=7) == pytest.approx(expected)


def test_statistics_take_resamples_along_leading_axes():
    accuracy = np.random.default_rng(0).uniform(0.5, 1, (4, 6, 6))
    found = one_way(accuracy, RANKS)
    assert found.total.shape == found.crossing.shape == found.own.shape == (4,)
    assert found.own[2] == pytest.approx(one_way(accuracy[2], RANKS).own)
    np.testing.assert_allclose(transferability(accuracy)[3], transferability(accuracy[3]))


def test_parts_with_resamples_are_those_of_each_resample():
    samples = np.random.default_rng(0).uniform(0.5, 1, (20, 6, 6))
    found = one_way_estimates(Estimate(samples[0], samples), RANKS)
    assert list(found) == ["U", "U_A", "U_D"]
    for symbol, part in (("U", "total"), ("U_A", "crossing"), ("U_D", "own")):
        assert found[symbol].value == getattr(one_way(samples[0], RANKS), part)
        np.testing.assert_array_equal(found[symbol].samples, getattr(one_way(samples, RANKS), part))


def test_some_languages_keep_their_order_of_resources():
    samples = np.random.default_rng(0).uniform(0.5, 1, (20, 6, 6))
    accuracy, ranks = among(Estimate(samples[0], samples), np.array([5, 0, 3, 1, 4, 2]), np.array([0, 1, 2, 5]))
    assert list(ranks) == [3, 0, 2, 1] and accuracy.samples.shape == (20, 4, 4)
    assert accuracy.value[0, 3] == samples[0, 0, 5]


def test_labelled_accuracies_give_labelled_transferability():
    accuracy = xr.DataArray(planted(0.1), dims=("source", "target"), coords={"source": list("abcdef")})
    found = transferability(accuracy)
    assert found.dims == ("source", "target") and list(found["source"].values) == list("abcdef")
    np.testing.assert_allclose(found, transferability(accuracy.values))
