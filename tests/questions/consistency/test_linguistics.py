"""Correlations of consistency with linguistic similarity, on matrices with planted effects."""

import numpy as np
import pytest

from xlv.questions.consistency.linguistics import correlation, mrqap


def symmetric(generator: np.random.Generator, n: int) -> np.ndarray:
    matrix = generator.normal(size=(n, n))
    return (matrix + matrix.T) / 2


@pytest.mark.simulate
def test_mrqap_finds_an_effect_beside_a_covariate_and_not_one_that_is_the_covariate_s(runs):
    generator = np.random.default_rng(0)
    n = 14
    script = symmetric(generator, n)
    kinship = 0.7 * script + symmetric(generator, n)
    caused = kinship + 0.5 * symmetric(generator, n)
    found = mrqap(caused, kinship, [script], n_permutations=300)
    assert found.coefficient > 0.5 and found.p < 0.02
    explained = [
        mrqap(script + 0.7 * symmetric(np.random.default_rng(seed), n), kinship, [script], n_permutations=200).p
        for seed in range(runs(1000, sample=40))
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


@pytest.mark.simulate
def test_the_excess_of_split_over_direct_is_found_where_planted_and_not_in_noise(runs):
    generator = np.random.default_rng(2)
    similarity, dominant = symmetric(generator, 16), np.arange(16) < 4
    lifted = similarity + 3.0 * (dominant[:, None] | dominant[None, :])
    assert correlation(lifted, similarity, dominant, n_permutations=400).excess_p < 0.01
    chance = [
        correlation(symmetric(np.random.default_rng(seed), 16), similarity, dominant, n_permutations=200).excess_p
        for seed in range(runs(1000, sample=60))
    ]
    assert np.mean(np.array(chance) < 0.05) <= 0.15


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
    low, high = correlation(similarity, similarity, dominant, n_permutations=200).chance
    assert low < 0 < high < 1


def test_a_correlation_of_too_few_pairs_or_without_variance_is_unknown():
    similarity = symmetric(np.random.default_rng(0), 6)
    dominant = np.arange(6) == 0
    assert np.isnan(correlation(np.ones((6, 6)), similarity, dominant).direct)
    found = correlation(similarity[:3, :3], similarity[:3, :3], dominant[:3])
    assert found.direct == pytest.approx(1.0) and np.isnan(found.split)  # one pair does not touch the dominant language


def test_the_regression_s_coefficient_is_that_of_least_squares_on_standardised_columns():
    generator = np.random.default_rng(4)
    one, two, three = (symmetric(generator, 9) for _ in range(3))
    columns = [matrix[np.triu_indices(9, k=1)] for matrix in (one, two, three)]
    y, *design = ((column - column.mean()) / column.std() for column in columns)
    expected = np.linalg.lstsq(np.column_stack(design), y, rcond=None)[0][0]
    assert mrqap(one, two, [three], n_permutations=0).coefficient == pytest.approx(expected)


def test_permutations_heed_the_seed():
    generator = np.random.default_rng(5)
    one, two, dominant = symmetric(generator, 8), symmetric(generator, 8), np.arange(8) < 2
    for statistic in (
        lambda seed: correlation(one, two, dominant, n_permutations=99, seed=seed).excess_p,
        lambda seed: mrqap(one, two, [], n_permutations=99, seed=seed).p,
        lambda seed: correlation(one, two, dominant, n_permutations=99, seed=seed).chance,
    ):
        assert statistic(0) == statistic(0) != statistic(1)
