import numpy as np
import pytest

from xlv.statistics.vectors import concept_vectors, differences_of, hits, own, own_gram

GENERATOR = np.random.default_rng(0)


def test_diffmean_is_the_mean_of_the_pair_differences():
    positive, negative = GENERATOR.normal(size=(2, 10, 4))
    expected = np.mean([p - n for p, n in zip(positive, negative, strict=True)], axis=0)
    np.testing.assert_allclose(concept_vectors(positive, negative), expected)
    with pytest.raises(ValueError, match="as many positive as negative"):
        concept_vectors(positive, negative[:5])


def test_diffmean_of_half_precision_is_summed_in_double_precision():
    positive = np.full((4097, 1), 1.001, dtype=np.float16)  # a sum in half precision would stop growing at 2048
    found = concept_vectors(positive, np.zeros_like(positive))
    assert found.dtype == np.float64 and found[0] == pytest.approx(float(positive[0, 0]))


def test_ties_count_half_and_what_was_not_measured_stays_unknown():
    found = hits(np.array([2.0, -0.1, 0.0, np.nan]))
    np.testing.assert_array_equal(found, [1.0, 0.0, 0.5, np.nan])
    assert hits(np.float32(3)) == 1.0


def test_a_language_s_own_is_on_the_diagonal_whatever_axes_follow():
    matrix = GENERATOR.normal(size=(3, 3, 2, 5))
    found = own(matrix)
    assert found.shape == (3, 2, 5)
    for language in range(3):
        np.testing.assert_array_equal(found[language], matrix[language, language])


def test_own_inner_products_are_those_of_a_language_s_pairs():
    differences = GENERATOR.normal(size=(3, 5, 7))
    np.testing.assert_allclose(own_gram(differences), np.einsum("sid,sjd->sij", differences, differences), atol=1e-5)


def test_differences_are_read_layer_by_layer_of_all_pairs_or_some():
    states = GENERATOR.normal(size=(2, 3, 10, 4))
    read, some = differences_of(lambda k: states[k]), differences_of(lambda k: states[k], np.array([1, 4]))
    np.testing.assert_array_equal(read(1), states[1][:, :5] - states[1][:, 5:])
    np.testing.assert_array_equal(some(0), read(0)[:, [1, 4]])
