"""Correlations of consistency with linguistic similarity, on matrices with planted effects."""

import numpy as np
import pytest

from xlv.corpus.languages import linguistic_similarity
from xlv.questions.consistency.linguistics import composite_similarity, correlation


def symmetric(generator: np.random.Generator, n: int) -> np.ndarray:
    matrix = generator.normal(size=(n, n))
    return (matrix + matrix.T) / 2


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


def test_permutations_heed_the_seed():
    generator = np.random.default_rng(5)
    one, two, dominant = symmetric(generator, 8), symmetric(generator, 8), np.arange(8) < 2
    found = [correlation(one, two, dominant, n_permutations=99, seed=seed).chance for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_the_composite_similarity_is_the_mean_of_three_kinds_in_standard_deviations():
    codes, off = ["en", "fr", "zh", "ta"], ~np.eye(4, dtype=bool)
    kinds = linguistic_similarity(codes)
    parts = [kinds[kind][off] for kind in ("genetic", "syntactic", "geographic")]
    expected = np.mean([(part - part.mean()) / part.std() for part in parts], axis=0)
    np.testing.assert_allclose(composite_similarity(codes)[off], expected)
