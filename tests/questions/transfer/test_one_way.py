import numpy as np
import pytest

from xlv.questions.consistency.linguistics import correlation, mrqap, permutation_interval, split_excess_p
from xlv.questions.recognition.accuracy import cross_validated, resampled_accuracy
from xlv.questions.transfer.one_way import additive, dominant_contrast, one_way, permutation_p, transferability
from xlv.statistics.resampling import (
    bootstrap_weights,
    group_indices,
    holm,
    interval_about,
    partitions,
    proportion_interval,
)
from xlv.statistics.vectors import pair_gram

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


@pytest.mark.parametrize("effect", [0.0, 0.8])
def test_intervals_cover_the_true_accuracy_with_and_without_a_concept(effect):
    """The truth is the mean over many data sets; 60 of them must cover it about as often as they say."""
    groups, values, ends = np.arange(32) // 2, [], []
    for seed in range(60):
        differences = np.random.default_rng(seed).normal(size=(2, 32, 2, 12))
        differences[..., 0] += effect
        grams = [pair_gram(differences[:, :, k]) for k in range(2)]
        found = cross_validated(grams, groups, n_partitions=4)
        values.append(found.chosen[0, 1])
        ends.append(interval_about(found.chosen, resampled_accuracy(grams, found, groups, n_resamples=200)))
    truth = np.mean(values)
    covered = [low[0, 1] <= truth <= high[0, 1] for low, high in ends]
    assert np.mean(covered) >= 0.88


def test_bootstrap_resamples_whole_groups():
    weights = bootstrap_weights(np.array([0, 0, 1, 1]), 50)
    assert (weights[:, 0] == weights[:, 1]).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_array_equal(bootstrap_weights(np.arange(5), 20), bootstrap_weights(np.arange(5), 40)[:20])


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


def symmetric(generator: np.random.Generator, n: int) -> np.ndarray:
    matrix = generator.normal(size=(n, n))
    return (matrix + matrix.T) / 2


def test_mrqap_finds_an_effect_beside_a_covariate_and_not_one_that_is_the_covariate_s():
    generator = np.random.default_rng(0)
    n = 14
    script = symmetric(generator, n)
    kinship = 0.7 * script + symmetric(generator, n)
    caused = kinship + 0.5 * symmetric(generator, n)
    found = mrqap(caused, kinship, [script], n_permutations=300)
    assert found.coefficient > 0.5 and found.p < 0.02
    explained = [
        mrqap(script + 0.7 * symmetric(np.random.default_rng(seed), n), kinship, [script], n_permutations=200).p
        for seed in range(40)
    ]
    assert np.mean(np.array(explained) < 0.05) <= 0.15


def test_mrqap_masks_gaps_and_gives_nothing_where_nothing_can_be_told():
    generator = np.random.default_rng(1)
    kinship = symmetric(generator, 10)
    gaps = kinship.copy()
    gaps[0, 1] = gaps[1, 0] = np.nan
    assert mrqap(kinship, gaps, [], n_permutations=50).n_pairs == 44
    assert np.isnan(mrqap(kinship, kinship, [kinship], n_permutations=50).coefficient)
    assert np.isnan(mrqap(kinship[:3, :3], kinship[:3, :3], [], n_permutations=50).p)


def test_the_excess_of_split_over_direct_is_found_where_planted_and_not_in_noise():
    generator = np.random.default_rng(2)
    similarity, dominant = symmetric(generator, 16), np.arange(16) < 4
    lifted = similarity + 3.0 * (dominant[:, None] | dominant[None, :])
    assert split_excess_p(lifted, similarity, dominant, n_permutations=400) < 0.01
    chance = [
        split_excess_p(symmetric(np.random.default_rng(seed), 16), similarity, dominant, n_permutations=200)
        for seed in range(60)
    ]
    assert np.mean(np.array(chance) < 0.05) <= 0.15


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
