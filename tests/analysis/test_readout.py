"""Single texts, other estimators and nulls, on states with a known structure."""

import numpy as np
import pytest

from xlv.questions.concept import analyse_concept, other_concept_accuracy
from xlv.questions.recognition.accuracy import as_published, cross_validated, learning_curve
from xlv.questions.recognition.estimators import ESTIMATORS, estimator_hits
from xlv.questions.recognition.nulls import random_accuracy, shuffled_accuracy
from xlv.questions.recognition.readout import readout
from xlv.statistics.vectors import own, pair_gram, text_gram

N_LANGUAGES, N_PAIRS, N_LAYERS, WIDTH = 3, 32, 4, 24
GROUPS = np.arange(N_PAIRS) // 2


def texts(effect: float, offset: float = 0.0, seed: int = 0) -> np.ndarray:
    """States `[language, example, layer, d]`: noise, a concept of size `effect` at layer 2, an offset a language."""
    states = np.random.default_rng(seed).normal(size=(N_LANGUAGES, 2 * N_PAIRS, N_LAYERS, WIDTH))
    states[:, :N_PAIRS, 1, 0] += effect / 2
    states[:, N_PAIRS:, 1, 0] -= effect / 2
    states[..., 1, 0] += offset * np.arange(N_LANGUAGES)[:, None]
    return states.astype(np.float32)


def reader(states: np.ndarray):
    return lambda layer: states[:, :, layer - 1]


def grams(states: np.ndarray) -> list[np.ndarray]:
    return [pair_gram(states[:, :N_PAIRS, k] - states[:, N_PAIRS:, k]) for k in range(N_LAYERS)]


def means(result) -> dict[str, np.ndarray]:
    return {name: getattr(result, name).mean(axis=-1) for name in ("auroc", "carried", "centred")}


def test_text_gram_holds_projections_up_to_a_constant():
    states = texts(1.0)[:, :, 1]
    differences = states[:, :N_PAIRS] - states[:, N_PAIRS:]
    vector = differences[0].mean(axis=0)
    found = text_gram(states)[0].mean(axis=0)  # [target, sign, pair]
    expected = (states @ vector).reshape(N_LANGUAGES, 2, N_PAIRS)
    shift = found - expected
    np.testing.assert_allclose(shift, shift[0, 0, 0], atol=1e-4)


def test_a_plain_concept_is_read_by_every_measure():
    states = texts(4.0)
    found = means(readout(reader(states), cross_validated(grams(states), GROUPS)))
    assert min(matrix.min() for matrix in found.values()) > 0.9


def test_an_offset_between_languages_spoils_the_carried_threshold_and_nothing_else():
    states = texts(4.0, offset=8.0)
    found = means(readout(reader(states), cross_validated(grams(states), GROUPS)))
    off = ~np.eye(N_LANGUAGES, dtype=bool)
    assert found["carried"][off].max() < 0.7 and np.diagonal(found["carried"]).min() > 0.9
    assert found["auroc"].min() > 0.9 and found["centred"].min() > 0.9


def test_noise_is_read_at_chance_by_every_measure():
    runs = []
    for seed in range(20):
        states = texts(0.0, seed=seed)
        runs.append(list(means(readout(reader(states), cross_validated(grams(states), GROUPS))).values()))
    assert np.abs(np.mean(runs, axis=(0, 2, 3)) - 0.5).max() < 0.05


def test_readouts_need_folds():
    states = texts(1.0)
    with pytest.raises(ValueError, match="one split only"):
        readout(reader(states), as_published(grams(states)))


def test_the_diffmean_estimator_is_the_first_partition_of_protocol_cv():
    states = texts(1.5)
    found = cross_validated(grams(states), GROUPS, n_partitions=1)
    hits = estimator_hits(reader(states), found)
    np.testing.assert_allclose(hits[list(ESTIMATORS).index("DiffMean")], found.correct)


def test_every_estimator_reads_a_plain_concept_and_none_reads_noise():
    plain = texts(4.0)
    read = estimator_hits(reader(plain), cross_validated(grams(plain), GROUPS)).mean(axis=(1, 2, 3))
    assert (read > 0.9).all()
    noise = [texts(0.0, seed=seed) for seed in range(10)]
    blind = np.mean([estimator_hits(reader(s), cross_validated(grams(s), GROUPS)) for s in noise], axis=(0, 2, 3, 4))
    assert np.abs(blind - 0.5).max() < 0.06


def test_lda_sees_through_correlated_noise_where_diffmean_does_not():
    """The concept is small beside a large direction of noise that leans towards it."""
    states = texts(1.0)
    states[..., 1, 0] += 6 * states[..., 1, 1]
    states[..., 1, 1] *= 6
    found = cross_validated(grams(states), GROUPS)
    read = dict(zip(ESTIMATORS, estimator_hits(reader(states), found).mean(axis=(1, 2, 3)), strict=True))
    assert read["LDA"] > read["DiffMean"] + 0.05


def test_pca_gets_its_sign_from_the_training_pairs():
    states = texts(4.0)
    turned = np.concatenate([states[:, N_PAIRS:], states[:, :N_PAIRS]], axis=1)  # positive and negative change places
    index = list(ESTIMATORS).index("PCA")
    for version in (states, turned):
        assert estimator_hits(reader(version), cross_validated(grams(version), GROUPS))[index].mean() > 0.9


def test_random_directions_lie_where_the_activations_vary():
    """All at chance on average; where nearly all variance is one dimension's, they all lie along it, either way."""
    flat = texts(0.0)[:, :, 1]
    along = texts(4.0)[:, :, 1]
    along[..., 0] *= 100
    wide, thin = (random_accuracy(states, n_directions=300) for states in (flat, along))
    assert wide.shape == (300, N_LANGUAGES)
    assert abs(wide.mean() - 0.5) < 0.03 and abs(thin.mean() - 0.5) < 0.1
    assert np.abs(wide - 0.5).mean() < 0.15 and np.abs(thin - 0.5).mean() > 0.4


def test_shuffled_labels_hide_a_plain_concept():
    found = shuffled_accuracy(grams(texts(4.0)), GROUPS, n_shuffles=30)
    assert abs(own(found.transpose(1, 2, 0)).mean() - 0.5) < 0.06


def test_more_training_pairs_read_better_and_impossible_sizes_are_missing():
    curves = [own_curve for seed in range(6) for own_curve in [learning_curve(grams(texts(1.0, seed=seed)), GROUPS)]]
    mean = np.mean(curves, axis=(0, 2, 3))
    assert mean[0] < mean[1] < mean[2] and np.isnan(mean[3:]).all()


def test_a_vector_reads_its_own_concept_and_not_an_unrelated_one():
    one, other = texts(4.0), texts(0.0, seed=9)
    other[:, :N_PAIRS, 1, 5] += 4.0
    found = analyse_concept(reader(one), N_LAYERS, GROUPS)
    layers = found.cv.layer[:, 0]
    assert other_concept_accuracy(found.vectors, layers, reader(one)).min() > 0.9
    assert np.abs(other_concept_accuracy(found.vectors, layers, reader(other)) - 0.5).max() < 0.25
    np.testing.assert_allclose(np.diagonal(found.cv.chosen), own(found.cv.correct).mean(axis=1))
