import numpy as np
import pytest

from xlv.statistics.whitening import RIDGE, whitened, whitening

N_LANGUAGES, N_ROWS = 4, 24


def varied(width: int, *, parts: int = 1, seed: int = 0) -> np.ndarray:
    """Rows `[language, part, row, d]` with a mean of each language, more variance along some axes, and of one own."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(N_LANGUAGES, parts, N_ROWS, width)) * np.arange(1, width + 1) ** -0.7
    for language in range(N_LANGUAGES):
        rows[language, :, :, 2 + language] *= 4
    return rows + generator.normal(size=(N_LANGUAGES, parts, 1, width))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def covariance(rows: np.ndarray, languages: list[int]) -> np.ndarray:
    """Of rows `[language, part, row, d]`, each part of each language about its own mean, with its ridge."""
    parts = [part - part.mean(axis=0) for language in languages for part in rows[language].astype(np.float64)]
    pooled = np.mean([part.T @ part / len(part) for part in parts], axis=0)
    return pooled + RIDGE * np.trace(pooled) / len(pooled) * np.eye(len(pooled))


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("width", [20, 90, 300], ids=["fewer dimensions than rows", "nearly as many", "more"])
def test_directions_are_those_of_a_covariance_without_the_target(width, parts):
    """In single precision, by products with the matrix or with the rows, against one solution each in double."""
    rows, sources = varied(width, parts=parts), [2, 0]
    means = np.random.default_rng(1).normal(size=(2, width))
    found = whitened(rows.astype(np.float32), means.astype(np.float32), sources)
    assert found.dtype == np.float32
    for target in range(N_LANGUAGES):
        for place, source in enumerate(sources):
            pooled = [one for one in range(N_LANGUAGES) if one != target or one == source]
            expected = unit(np.linalg.solve(covariance(rows, pooled), means[place]))
            np.testing.assert_allclose(unit(found[target, place]), expected, atol=1e-3 * np.abs(expected).max())


def test_how_the_target_varies_does_not_move_what_reads_it():
    rows, means = varied(20), np.ones((1, 20))
    found = whitened(rows, means, [1])
    rows[3] *= 5.0
    again = whitened(rows, means, [1])
    np.testing.assert_allclose(again[3], found[3], atol=1e-3 * np.abs(found[3]).max())
    assert not np.allclose(unit(again[:3]), unit(found[:3]), atol=0.05)


def test_where_nothing_varies_a_direction_is_nil_and_finite_if_one_language_does():
    rows, means = np.zeros((2, 1, N_ROWS, 5)), np.zeros((1, 5))
    assert (whitened(rows, means, [0]) == 0).all()
    rows[0] = varied(5 + N_LANGUAGES)[0, :, :, :5]
    assert np.isfinite(whitened(rows, means + 1, [1])).all()


@pytest.mark.parametrize("width", [20, 300])
def test_whitened_vectors_have_the_inner_products_of_the_inverse(width):
    differences = varied(width)[:, 0]
    one, other = np.random.default_rng(1).normal(size=(2, 3, width))
    expected = one @ np.linalg.solve(covariance(differences[:, None], list(range(N_LANGUAGES))), other.T)
    whiten = whitening(differences)
    np.testing.assert_allclose(whiten(one) @ whiten(other).T, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())
    np.testing.assert_allclose(whiten(one[None])[0], whiten(one))


def test_differences_that_do_not_vary_cannot_whiten():
    with pytest.raises(ValueError, match="expected differences that vary"):
        whitening(np.ones((2, 5, 3)))
