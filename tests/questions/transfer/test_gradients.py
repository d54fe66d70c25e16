"""Gradients of who teaches and who is read, and permutations of languages with families set apart."""

import numpy as np
import pytest

from xlv.questions.transfer.gradients import gradient_p, partial_p, scaled, source_coefficients, triangle_p
from xlv.questions.transfer.one_way import one_way

N = 16
ORDER = scaled(np.arange(N))
EUROPEAN = np.isin(np.arange(N), (0, 2, 3, 4, 7))


def accuracy(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The additive model with own cells that it does not hold for."""
    return 0.6 + source[:, None] + target[None, :] + 0.1 * np.eye(N)


def test_the_order_runs_from_the_poorest_to_the_richest():
    np.testing.assert_allclose(scaled(np.array([2, 0, 1])), [0, 1, 0.5])


def test_a_gradient_is_the_change_over_the_whole_order_at_fixed_targets():
    found = accuracy(0.04 * ORDER, np.random.default_rng(0).normal(size=N))
    assert (found * source_coefficients(ORDER)).sum() == pytest.approx(0.04)
    turned = accuracy(np.random.default_rng(1).normal(size=N), 0.07 * ORDER)
    assert (turned * source_coefficients(ORDER).T).sum() == pytest.approx(0.07)


def test_u_a_is_nil_where_both_gradients_are_alike():
    found = accuracy(0.05 * ORDER, 0.05 * ORDER)
    assert one_way(found, np.arange(N)).crossing == pytest.approx(0)
    assert (found * source_coefficients(ORDER)).sum() == pytest.approx(0.05)


def test_own_cells_do_not_count():
    coefficients = source_coefficients(ORDER)
    assert (np.diag(coefficients) == 0).all() and coefficients.sum() == pytest.approx(0)
    assert (source_coefficients(ORDER[:2]) == 0).all()


def test_permutations_find_an_order_and_no_order_where_there_is_none():
    random = np.random.default_rng(2)
    assert partial_p(ORDER + 0.1 * random.normal(size=N), ORDER, EUROPEAN) < 0.001
    drawn = [partial_p(random.normal(size=N), ORDER, EUROPEAN, n_permutations=499) for _ in range(200)]
    assert np.mean(np.array(drawn) < 0.05) <= 0.09 and 0.4 < np.mean(drawn) < 0.6


def test_what_families_explain_is_set_apart():
    random = np.random.default_rng(3)
    drawn = [EUROPEAN + 0.3 * random.normal(size=N) for _ in range(100)]
    alone = [partial_p(effects, ORDER, np.zeros(N), n_permutations=499) for effects in drawn]
    beside = [partial_p(effects, ORDER, EUROPEAN, n_permutations=499) for effects in drawn]
    assert np.mean(np.array(alone) < 0.05) > 0.4 > 0.12 >= np.mean(np.array(beside) < 0.05)


def test_p_values_of_source_gradients_and_triangles_read_their_own_effects():
    random = np.random.default_rng(5)
    noise = 0.01 * random.normal(size=(N, N))
    teach = accuracy(0.1 * ORDER, np.zeros(N)) + noise
    read = accuracy(np.zeros(N), 0.1 * ORDER) + noise
    assert gradient_p(teach, ORDER, EUROPEAN) < 0.005 < 0.05 < gradient_p(read, ORDER, EUROPEAN)
    assert triangle_p(teach, ORDER, EUROPEAN) < 0.005
    level = accuracy(0.1 * ORDER, 0.1 * ORDER)
    level[np.diag_indices(N)] = 0.7  # U_A and U_D are nil
    assert triangle_p(level + noise, ORDER, EUROPEAN) > 0.05


def test_too_few_languages_have_no_p_value():
    assert np.isnan(partial_p(np.arange(4.0), np.arange(4.0), np.zeros(4)))
