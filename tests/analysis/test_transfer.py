import numpy as np

from xlv.analysis.linguistics import correlation, permutation_interval
from xlv.analysis.statistics import bootstrap_weights, group_indices, holm, interval, partitions, proportion_interval
from xlv.analysis.transfer import accuracy_samples, one_way, permutation_p, transferability

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


def test_bootstrap_intervals_cover_the_true_accuracy():
    generator = np.random.default_rng(1)
    groups = np.arange(64) // 2
    covered = 0
    for seed in range(100):
        correct = (generator.uniform(size=(1, 1, 64)) < 0.7).astype(float)
        low, high = interval(accuracy_samples(correct, groups, n_resamples=400, seed=seed))
        covered += bool(low[0, 0] <= 0.7 <= high[0, 0])
    assert covered >= 86


def test_bootstrap_resamples_whole_groups_and_ignores_untested_pairs():
    weights = bootstrap_weights(np.array([0, 0, 1, 1]), 50)
    assert (weights[:, 0] == weights[:, 1]).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    correct = np.array([[[1.0, np.nan, 1.0, np.nan]]])
    assert np.nanmin(accuracy_samples(correct, np.arange(4), n_resamples=50)) == 1.0


def test_partitions_keep_groups_together_and_leave_one_out_when_few():
    groups = group_indices(["a", "a", "b", "c", "c", "d"])
    assert list(groups) == [0, 0, 1, 2, 2, 3]
    assert partitions(groups, n_folds=8, n_partitions=10).shape == (1, 6)
    many = partitions(np.arange(40) // 2, n_folds=8, n_partitions=10)
    assert many.shape == (10, 40) and (many[:, ::2] == many[:, 1::2]).all() and len(np.unique(many, axis=0)) > 1


def test_holm_and_wilson_against_known_values():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    low, high = proportion_interval(np.array([5]), np.array([10]))
    np.testing.assert_allclose([low[0], high[0]], [0.2366, 0.7634], atol=1e-4)


def test_correlations_direct_and_split():
    generator = np.random.default_rng(0)
    similarity = generator.uniform(size=(8, 8))
    similarity = (similarity + similarity.T) / 2
    dominant = np.arange(8) == 0
    found = correlation(similarity * 2 + 1, similarity, dominant)
    np.testing.assert_allclose([found.direct, found.split], 1.0)
    # a constant lift of the pairs that touch the dominant language hides in the direct correlation, not in the split
    lifted = similarity.copy()
    lifted[0] += 5
    lifted[:, 0] += 5
    found = correlation(lifted, similarity, dominant)
    assert found.direct < 0.6 and found.split > 0.999
    masked = similarity.copy()
    masked[0, 1] = masked[1, 0] = np.nan
    assert correlation(similarity, masked, dominant).n_pairs == 27
    low, high = permutation_interval(similarity, similarity, dominant, n_permutations=200)["direct"]
    assert low < 0 < high < 1
