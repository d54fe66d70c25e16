"""Transferability and its one-way parts, on accuracies with planted effects."""

import numpy as np
import pytest
import xarray as xr

from xlv.questions.transfer.one_way import additive, one_way, transferability

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


def test_one_way_follows_the_ranks_not_the_order_of_the_matrix():
    order = np.array([3, 0, 5, 1, 4, 2])
    shuffled = planted(0.1)[np.ix_(order, order)]
    np.testing.assert_allclose(one_way(shuffled, RANKS[order]).total, one_way(planted(0.1), RANKS).total)


def test_the_additive_model_finds_planted_effects_and_ignores_the_diagonal():
    source, target = np.linspace(-0.1, 0.1, 6), np.array([0.02, -0.02, 0.0, 0.05, -0.05, 0.0])
    accuracy = 0.7 + source[:, None] + target[None, :]
    np.fill_diagonal(accuracy, 5.0)
    found = additive(accuracy)
    np.testing.assert_allclose(found.source, source, atol=1e-12)
    np.testing.assert_allclose(found.target, target, atol=1e-12)
    assert np.isnan(additive(accuracy[:2, :2]).source).all()


def test_statistics_take_resamples_along_leading_axes():
    accuracy = np.random.default_rng(0).uniform(0.5, 1, (4, 6, 6))
    found = one_way(accuracy, RANKS)
    assert found.total.shape == found.crossing.shape == found.own.shape == (4,)
    assert found.own[2] == pytest.approx(one_way(accuracy[2], RANKS).own)
    np.testing.assert_allclose(transferability(accuracy)[3], transferability(accuracy[3]))
    np.testing.assert_allclose(additive(accuracy).target[1], additive(accuracy[1]).target)


def test_labelled_accuracies_give_labelled_transferability():
    accuracy = xr.DataArray(planted(0.1), dims=("source", "target"), coords={"source": list("abcdef")})
    found = transferability(accuracy)
    assert found.dims == ("source", "target") and list(found["source"].values) == list("abcdef")
    np.testing.assert_allclose(found, transferability(accuracy.values))
