"""Inner products of concept vectors, without what shared pairs add; halves that do not choose for themselves."""

import numpy as np
import pytest

from xlv.questions.consistency.moments import as_arrays, best_layers, halves, inner_products, moments, read_moments
from xlv.questions.consistency.pooled import pooled
from xlv.statistics.jackknife import Replicated, blocks

WIDTH, N_LANGUAGES = 60, 6


def planted(random: np.random.Generator, n_pairs: int, *, norm: float = 2.0, cosine: float = 0.6) -> np.ndarray:
    """Differences `[language, pair, d]` of vectors of one norm and cosine; translations of a pair share their noise."""
    axes = np.eye(WIDTH)[: N_LANGUAGES + 1]
    means = norm * (np.sqrt(cosine) * axes[0] + np.sqrt(1 - cosine) * axes[1:])
    shared = random.normal(size=(n_pairs, WIDTH)) + random.normal(size=(n_pairs // 2, WIDTH)).repeat(2, axis=0)
    return means[:, None] + 0.5 * shared + random.normal(size=(N_LANGUAGES, n_pairs, WIDTH))


def groups_of(n_pairs: int) -> np.ndarray:
    return np.arange(n_pairs) // 2


def test_products_are_means_over_pairs_of_different_situations():
    random = np.random.default_rng(0)
    groups = np.array([0, 0, 1, 2, 2, 2, 3, 4])
    differences = random.normal(size=(2, 8, 5))
    found = inner_products(differences, groups)
    apart = groups[:, None] != groups
    for s, t in np.ndindex(2, 2):
        inner = differences[s] @ differences[t].T
        assert found.value[s, t] == pytest.approx(inner[apart].mean())
    block = blocks(groups, 16)
    for b in range(block.max() + 1):
        kept = np.ix_(block != b, block != b)
        expected = (differences[0] @ differences[1].T)[kept][apart[kept]].mean()
        assert found.replicates[b][0, 1] == pytest.approx(expected)


def test_products_are_unbiased_where_plain_ones_are_not():
    random = np.random.default_rng(1)
    drawn = [planted(random, 32) for _ in range(60)]
    found = np.mean([inner_products(d, groups_of(32)).value for d in drawn], axis=0)
    np.testing.assert_allclose(np.diag(found), 4.0, atol=0.25)
    np.testing.assert_allclose(found[~np.eye(N_LANGUAGES, dtype=bool)], 2.4, atol=0.25)
    plain = np.mean([np.einsum("ld,md->lm", *[d.mean(axis=1)] * 2) for d in drawn], axis=0)
    assert np.diag(plain).min() > 5.5


def test_their_errors_are_right():
    random = np.random.default_rng(2)
    found = [inner_products(planted(random, 32), groups_of(32)) for _ in range(150)]
    spread = np.std([f.value for f in found], axis=0)
    error = np.sqrt(np.mean([f.standard_error() ** 2 for f in found], axis=0))
    assert 0.9 < np.mean(error / spread) < 1.2


def test_halves_do_not_split_situations_and_choose_for_each_other():
    groups, random = groups_of(64), np.random.default_rng(3)
    half = halves(groups)
    assert (half[::2] == half[1::2]).all() and np.bincount(half).tolist() == [32, 32]
    known, blind = planted(random, 64), planted(random, 64, norm=0.0)
    mixed = np.where((half == 0)[None, :, None], known, blind)  # the concept is in the first half alone
    found = moments((mixed, mixed), groups)
    assert np.isfinite(found.weights[1]).sum() > np.isfinite(found.weights[0]).sum()  # readable by what the other has
    assert found.products[0].value.mean() > 5 * abs(found.products[1].value.mean())
    assert not found.readable.any() or found.readable.sum() < N_LANGUAGES


def test_layers_are_the_best_but_the_last():
    assert best_layers([[0.1, 0.9], [0.8, 0.2], [5.0, 5.0]]) == [2, 1]
    assert best_layers([[0.1, 0.9]]) == [1, 1]


def test_stored_moments_are_read_back():
    groups = groups_of(40)
    differences = planted(np.random.default_rng(4), 40)
    found = moments((differences, differences), groups)
    stored = as_arrays(found)
    assert stored["moment_replicate"].shape == (2, 16, N_LANGUAGES, N_LANGUAGES)
    back = read_moments(*(stored[name] for name in ("moment", "moment_replicate", "moment_surplus")))
    assert len(back.products[0].replicates) == 10  # of as many situations, without the padding
    np.testing.assert_allclose(back.weights, found.weights)
    assert pooled(back).rho == pytest.approx(pooled(found).rho)


@pytest.mark.parametrize("n_pairs", [8, 16])
def test_few_situations_make_nothing_readable_instead_of_an_error(n_pairs):
    differences = planted(np.random.default_rng(5), n_pairs, norm=0.1)
    found = moments((differences, differences), groups_of(n_pairs))
    assert np.isnan(pooled(found).rho) or np.isfinite(found.weights).any()


@pytest.mark.parametrize("cosine", [0.3, 0.9])
def test_the_pooled_consistency_is_the_true_cosine_and_its_interval_covers_it(cosine):
    random, values, covered, signs = np.random.default_rng(6), [], 0, []
    for _ in range(40):
        differences = planted(random, 64, cosine=cosine)
        found = pooled(moments((differences, differences), groups_of(64)))
        low, high = found.linearised().interval(0.95)
        values.append(found.rho)
        covered += low <= cosine <= high
        signs.append(found.contrast(0.6).interval(0.95))
    assert np.mean(values) == pytest.approx(cosine, abs=0.03) and covered >= 34
    assert np.mean([high < 0 if cosine < 0.6 else low > 0 for low, high in signs]) >= 0.8


def test_whitened_vectors_are_read_where_noise_drowns_plain_ones():
    random = np.random.default_rng(7)
    differences = planted(random, 64, norm=1.5)
    loud = 8 * random.normal(size=(N_LANGUAGES, 64, 3))
    differences[:, :, 20:23] += loud  # dimensions that vary and say nothing
    readable = [
        np.isfinite(moments((differences, differences), groups_of(64), whiten=whiten).weights).sum()
        for whiten in (False, True)
    ]
    assert readable[1] > readable[0]


def test_halves_are_added_as_independent_parts():
    random = np.random.default_rng(8)
    differences = planted(random, 64)
    found = moments((differences, differences), groups_of(64))
    coefficients = random.normal(size=(2, N_LANGUAGES, N_LANGUAGES))
    both = found.linear(coefficients)
    parts = [
        half.of(lambda m, c=c: (m * c).sum((-2, -1))) for half, c in zip(found.products, coefficients, strict=True)
    ]
    assert both.value == pytest.approx(sum(part.value for part in parts))
    plain = [Replicated(p.value, p.replicates).standard_error() ** 2 for p in parts]
    assert Replicated(both.value, both.replicates).standard_error() ** 2 == pytest.approx(sum(plain))


def test_moments_of_four_situations_are_stored_and_read_though_nothing_is_known_of_them():
    groups = groups_of(8)
    found = moments([planted(np.random.default_rng(0), 8)] * 2, groups)
    read = read_moments(*as_arrays(found).values())
    assert not found.readable.any() and not read.readable.any()
    np.testing.assert_array_equal(read.products[0].value, found.products[0].value)
    assert np.isnan(pooled(read).linearised().standard_error())
