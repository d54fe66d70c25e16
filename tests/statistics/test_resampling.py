import numpy as np
import pytest

from xlv.statistics.resampling import bootstrap_weights, group_indices, holm, interval, partitions, proportion_interval


def test_groups_are_numbered_by_first_appearance():
    assert list(group_indices(["a", "a", "b", "c", "c", "d"])) == [0, 0, 1, 2, 2, 3]


def test_partitions_keep_groups_together_and_leave_one_out_when_few():
    assert partitions(np.array([0, 0, 1, 2, 2, 3]), n_folds=8, n_partitions=10).tolist() == [[0, 0, 1, 2, 2, 3]]
    many = partitions(np.arange(40) // 2, n_folds=8, n_partitions=10)
    assert many.shape == (10, 40) and (many[:, ::2] == many[:, 1::2]).all() and len(np.unique(many, axis=0)) > 1
    sizes = [np.bincount(row[::2], minlength=8) for row in many]
    assert np.ptp(sizes, axis=1).max() == 1  # folds as even as twenty groups allow


def test_partitions_heed_the_seed():
    one, same, other = (partitions(np.arange(20), n_folds=4, n_partitions=3, seed=seed) for seed in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_one_group_cannot_be_folded():
    with pytest.raises(ValueError, match="at least two groups, got 1"):
        partitions(group_indices(["same"] * 6), n_folds=8, n_partitions=2)


def test_bootstrap_resamples_whole_groups():
    weights = bootstrap_weights(np.array([0, 0, 1, 1]), 50)
    assert (weights[:, 0] == weights[:, 1]).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_array_equal(bootstrap_weights(np.arange(5), 20), bootstrap_weights(np.arange(5), 40)[:20])
    assert (bootstrap_weights(np.arange(5), 20, seed=1) != bootstrap_weights(np.arange(5), 20)).any()


def test_the_bootstrap_of_a_mean_has_its_standard_error():
    values = np.random.default_rng(0).normal(size=64)
    spread = (bootstrap_weights(np.arange(64), 4000) @ values).std()
    assert spread == pytest.approx(values.std() / np.sqrt(64), rel=0.05)


def test_percentile_intervals_leave_out_what_is_unknown():
    low, high = interval(np.column_stack([np.arange(101.0), np.full(101, np.nan)]))
    np.testing.assert_allclose([low, high], [[2.5, np.nan], [97.5, np.nan]])
    assert interval(np.array([np.nan, 1.0, 3.0]), level=1.0) == (1.0, 3.0)


def test_holm_and_wilson_against_known_values():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1.0, 1.0])
    low, high = proportion_interval(np.array([5, 0]), np.array([10, 0]))
    np.testing.assert_allclose([low[0], high[0]], [0.2366, 0.7634], atol=1e-4)
    assert np.isnan([low[1], high[1]]).all()  # no trials, no interval
