"""Regressions of pairwise consistency on similarity, beside an effect of each language."""

import numpy as np
import pytest

from xlv.questions.consistency.kinship import regression, within
from xlv.questions.consistency.moments import Moments
from xlv.statistics.jackknife import Replicated

N = 12


def symmetric(random: np.random.Generator) -> np.ndarray:
    matrix = random.normal(size=(N, N))
    return (matrix + matrix.T) / 2


def found(consistency: np.ndarray, norms: np.ndarray, noise: float = 0.02, seed: int = 0) -> Moments:
    """Moments of vectors of these norms and cosines, each half with noise of its own; weights are the true ones."""
    random, products = np.random.default_rng(seed), []
    for _ in range(2):
        true = consistency * np.outer(norms, norms)
        rows = true + noise * np.array([symmetric(random) for _ in range(16)]) * np.sqrt(16) * np.outer(norms, norms)
        left = (rows.sum(axis=0) - rows) / 15
        products.append(Replicated(rows.mean(axis=0), left))
    weights = np.tile(1 / norms, (2, 1))
    return Moments(tuple(Replicated(p.value, p.replicates, np.zeros((4, N, N))) for p in products), weights)


def test_what_an_effect_of_each_language_leaves():
    random = np.random.default_rng(0)
    effects, rest = random.normal(size=N), within(symmetric(random))
    np.testing.assert_allclose(within(effects[:, None] + effects[None, :] + rest), rest, atol=1e-10)
    np.testing.assert_allclose(rest.sum(axis=1), 0, atol=1e-10)


def test_the_coefficient_is_the_change_per_standard_deviation():
    random = np.random.default_rng(1)
    similarity, effects = symmetric(random), 0.1 * random.normal(size=N)
    rest = within(similarity)
    unit = rest / np.sqrt(np.square(rest).sum() / (N * (N - 1)))
    consistency = 0.5 + effects[:, None] + effects[None, :] + 0.07 * unit
    got = regression(found(consistency, np.linspace(0.5, 3, N)), similarity)
    low, high = got.coefficient.interval()
    assert got.coefficient.value == pytest.approx(0.07, abs=0.02) and low < 0.07 < high and got.p < 0.005


def test_a_similarity_beside_another_one_counts_for_what_the_other_leaves():
    random = np.random.default_rng(2)
    similarity, other = symmetric(random), symmetric(random)
    moments = found(0.5 + 0.1 * within(other), np.ones(N))
    mixed = similarity + 2 * other
    alone, beside = regression(moments, mixed), regression(moments, mixed, other)
    assert alone.p < 0.01 and beside.p > 0.05
    assert abs(beside.coefficient.value) < 0.02 < alone.coefficient.value


def test_unreadable_languages_stay_out():
    random = np.random.default_rng(3)
    similarity = symmetric(random)
    moments = found(0.5 + 0.1 * within(similarity), np.ones(N))
    weights = moments.weights.copy()
    weights[0, 3] = np.nan
    spoilt = similarity.copy()
    spoilt[3], spoilt[:, 3] = 1e6, 1e6  # of a language that cannot be read
    without = regression(Moments(moments.products, weights), spoilt)
    assert without.p < 0.01 and without.coefficient.value > 0


def test_p_values_of_similarities_that_mean_nothing_are_even():
    random = np.random.default_rng(4)
    drawn = [
        regression(found(0.5 + 0.1 * within(symmetric(random)), np.ones(N), seed=s), symmetric(random)).p
        for s in range(60)
    ]
    assert 0.35 < np.mean(drawn) < 0.65 and np.mean(np.array(drawn) < 0.05) <= 0.12
