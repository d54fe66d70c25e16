"""Single texts, other estimators and null directions, on states with a known structure."""

from functools import cache

import numpy as np
import pytest

from tests.questions.states import (
    N_LANGUAGES,
    N_LAYERS,
    N_PAIRS,
    WIDTH,
    differences,
    plain,
    reader,
    recognised,
    shuffled,
    texts,
)
from xlv.questions.recognition.accuracy import Recognition, as_published, training_pairs
from xlv.questions.recognition.comparisons import (
    ALONE,
    ESTIMATORS,
    estimator_hits,
    outliers,
    own_as_published,
    published_nulls,
    random_accuracy,
    readout,
)
from xlv.statistics.vectors import hits, own


def means(states, found) -> dict[str, np.ndarray]:
    result = readout(reader(states), found)
    return {name: getattr(result, name).mean(axis=-1) for name in ("auroc", "carried", "centred")}


def test_a_plain_concept_is_read_by_every_measure():
    assert min(matrix.min() for matrix in means(*plain()).values()) > 0.9


def test_an_offset_between_languages_spoils_the_carried_threshold_and_nothing_else():
    states = texts(4.0, offset=8.0)
    found = means(states, recognised(states))
    off = ~np.eye(N_LANGUAGES, dtype=bool)
    assert found["carried"][off].max() < 0.7 and np.diagonal(found["carried"]).min() > 0.9
    assert found["auroc"].min() > 0.9 and found["centred"].min() > 0.9


def test_noise_is_read_at_chance_by_every_measure():
    noise = (texts(0.0, seed=seed) for seed in range(20))
    runs = [list(means(states, recognised(states)).values()) for states in noise]
    assert np.abs(np.mean(runs, axis=(0, 2, 3)) - 0.5).max() < 0.05


def test_measures_equal_those_of_explicit_projections():
    states = texts(1.0, offset=1.0)
    found = recognised(states, n_partitions=1)
    result, train = readout(reader(states), found), training_pairs(found.folds)[0]
    source, target, pair = 1, 2, 5
    fold = found.folds[0, pair]
    inside, test, here = train[fold], found.folds[0] == fold, states[:, :, found.choice[0, fold, source] - 1]
    positive, negative = here[:, :N_PAIRS], here[:, N_PAIRS:]
    vector = (positive - negative)[source, inside].mean(axis=0)
    high, low = positive[target] @ vector, negative[target] @ vector
    assert result.auroc[source, target, pair] == pytest.approx((high[pair] > low[test]).mean())
    for name, language in (("carried", source), ("centred", target)):
        training = np.concatenate([positive[language, inside], negative[language, inside]]) @ vector
        right = (high[pair] > training.mean()) / 2 + (low[pair] < training.mean()) / 2
        assert getattr(result, name)[source, target, pair] == pytest.approx(right)


def test_the_diffmean_estimator_is_the_first_partition_of_protocol_cv():
    states = texts(1.5)
    found = recognised(states, n_partitions=1)
    hits = estimator_hits(reader(states), found)
    np.testing.assert_allclose(hits[ESTIMATORS.index("DiffMean")], found.correct)


def test_every_estimator_reads_a_plain_concept_and_none_reads_noise():
    states, found = plain()
    assert (estimator_hits(reader(states), found).mean(axis=(1, 2, 3)) > 0.9).all()
    noise = [texts(0.0, seed=seed) for seed in range(10)]
    blind = np.mean([estimator_hits(reader(s), recognised(s, n_partitions=1)) for s in noise], axis=(0, 2, 3, 4))
    assert np.abs(blind - 0.5).max() < 0.06


@cache
def leaning() -> tuple[np.ndarray, Recognition]:
    """A concept beside a larger direction of noise, the same in all languages, that leans towards it."""
    states = texts(3.0)
    states[..., 1, 0] += 3 * states[..., 1, 1]
    states[..., 1, 1] *= 3
    return states, recognised(states, n_partitions=1)


def test_a_covariance_of_all_languages_sees_through_shared_noise_where_diffmean_does_not():
    read = dict(zip(ESTIMATORS, estimator_hits(reader(leaning()[0]), leaning()[1]).mean(axis=(1, 2, 3)), strict=True))
    assert min(read["whitened"], read["LDA"]) > read["DiffMean"] + 0.05


@pytest.mark.parametrize("name", ["whitened", "LDA"])
def test_covariances_are_of_training_folds_without_the_target(name):
    """Against the formula in double precision, a fold, a source and a target at a time."""
    states, found = leaning()
    hits_of, folds, train = estimator_hits(reader(states), found), found.folds[0], training_pairs(found.folds)[0]
    for fold, source, target in np.ndindex(len(train), N_LANGUAGES, N_LANGUAGES):
        here = states[:, :, found.choice[0, fold, source] - 1].astype(np.float64)
        positive, negative = here[:, :N_PAIRS][:, train[fold]], here[:, N_PAIRS:][:, train[fold]]
        pooled = [one for one in range(N_LANGUAGES) if one != target or one == source]
        parts = [positive - negative] if name == "whitened" else [positive, negative]
        covariance = np.mean([np.cov(part[one].T, bias=True) for part in parts for one in pooled], axis=0)
        ridge = 3 * np.trace(covariance) / WIDTH * np.eye(WIDTH)
        vector = np.linalg.solve(covariance + ridge, (positive - negative)[source].mean(axis=0))
        test = folds == fold
        expected = hits((here[target, :N_PAIRS] - here[target, N_PAIRS:])[test] @ vector)
        np.testing.assert_array_equal(hits_of[ESTIMATORS.index(name), source, target, test], expected)


def test_pca_gets_its_sign_from_the_training_pairs():
    states, found = plain()
    turned = np.concatenate([states[:, N_PAIRS:], states[:, :N_PAIRS]], axis=1)  # positive and negative change places
    index = ESTIMATORS.index("PCA")
    for version, result in ((states, found), (turned, recognised(turned))):
        assert estimator_hits(reader(version), result)[index].mean() > 0.9


def test_pca_is_the_first_right_singular_vector_of_the_differences():
    positive, negative = np.random.default_rng(0).normal(size=(2, 12, 30)) + np.array([0.4, 0.0])[:, None, None]
    found = ALONE["PCA"](positive, negative)
    first = np.linalg.svd(positive - negative)[2][0]
    np.testing.assert_allclose(np.abs(found @ first), 1.0, rtol=1e-6)
    assert found @ (positive - negative).mean(axis=0) > 0


def test_a_direction_without_variance_scores_half():
    states = np.zeros_like(texts(0.0))
    assert (estimator_hits(reader(states), recognised(states)) == 0.5).all()


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
    found = shuffled(texts(4.0), n_shuffles=30)
    assert found.shape == (30, N_LANGUAGES, N_LANGUAGES)
    assert abs(own(found.transpose(1, 2, 0)).mean() - 0.5) < 0.06


def test_shuffled_accuracy_is_that_of_the_whole_protocol_on_each_draw_of_labels():
    states = texts(1.0)
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=(4, N_PAIRS))
    flipped = [states * np.tile(row, 2)[:, None, None].astype(np.float32) for row in signs]
    expected = [recognised(here, n_partitions=1, seed=1).chosen for here in flipped]
    np.testing.assert_allclose(shuffled(states, n_shuffles=4, seed=1), expected)


def test_random_directions_heed_the_seed():
    states = texts(0.0)[:, :, 1]
    one, same, other = (random_accuracy(states, n_directions=20, seed=seed) for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


def test_shuffles_heed_the_seed():
    one, same, other = (shuffled(texts(1.0), n_shuffles=3, seed=seed) for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


def test_nulls_under_protocol_paper_are_those_of_the_whole_protocol_on_each_draw():
    states = texts(1.0)
    labels, directions = published_nulls(reader(states), N_LAYERS, n_shuffles=4, seed=1).values()
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=(4, N_PAIRS, 1))
    expected = [as_published([here * row for here in differences(states)]).chosen for row in signs]
    np.testing.assert_allclose(labels, expected)
    test = np.isfinite(as_published(differences(states)).correct[0, 0])
    by_layer = [random_accuracy(states[:, :, k], np.flatnonzero(test), seed=1) for k in range(N_LAYERS)]
    np.testing.assert_allclose(directions, np.max(by_layer, axis=0))
    assert directions.shape == (100, N_LANGUAGES)


def test_choosing_among_many_layers_on_test_pairs_lifts_noise_above_chance_and_cv_does_not():
    noise = np.random.default_rng(0).normal(size=(N_LANGUAGES, 2 * N_PAIRS, 24, WIDTH)).astype(np.float32)
    labels, directions = published_nulls(reader(noise), 24).values()
    untrained = own_as_published(reader(noise), 24)
    assert min(labels.mean(), directions.mean(), untrained.mean()) > 0.75
    assert abs(shuffled(noise).mean() - 0.5) < 0.03


def test_own_accuracy_under_protocol_paper_is_the_diagonal_of_all():
    states = texts(1.0)
    expected = np.diagonal(as_published(differences(states)).chosen)
    np.testing.assert_allclose(own_as_published(reader(states), N_LAYERS), expected)


def test_outliers_are_states_far_longer_than_the_median_of_their_language():
    states = texts(0.0)[:, :, 0]
    states[1, :4] *= 20.0
    states[2] *= 20.0  # a language of longer states has none
    np.testing.assert_allclose(outliers(states), [0.0, 4 / (2 * N_PAIRS), 0.0])
