"""Single texts, other estimators and null directions, on states with a known structure."""

import numpy as np
import pytest

from tests.questions.states import N_LANGUAGES, N_PAIRS, differences, plain, reader, recognised, shuffled, texts
from xlv.questions.recognition.accuracy import as_published, training_pairs
from xlv.questions.recognition.comparisons import ESTIMATORS, estimator_hits, random_accuracy, readout
from xlv.statistics.vectors import own


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


def test_readouts_need_folds():
    states = texts(1.0)
    with pytest.raises(ValueError, match="one split only"):
        readout(reader(states), as_published(differences(states)))


def test_the_diffmean_estimator_is_the_first_partition_of_protocol_cv():
    states = texts(1.5)
    found = recognised(states, n_partitions=1)
    hits = estimator_hits(reader(states), found)
    np.testing.assert_allclose(hits[list(ESTIMATORS).index("DiffMean")], found.correct)


def test_every_estimator_reads_a_plain_concept_and_none_reads_noise():
    states, found = plain()
    assert (estimator_hits(reader(states), found).mean(axis=(1, 2, 3)) > 0.9).all()
    noise = [texts(0.0, seed=seed) for seed in range(10)]
    blind = np.mean([estimator_hits(reader(s), recognised(s, n_partitions=1)) for s in noise], axis=(0, 2, 3, 4))
    assert np.abs(blind - 0.5).max() < 0.06


def test_lda_sees_through_correlated_noise_where_diffmean_does_not():
    """The concept is small beside a large direction of noise that leans towards it."""
    states = texts(1.0)
    states[..., 1, 0] += 6 * states[..., 1, 1]
    states[..., 1, 1] *= 6
    read = estimator_hits(reader(states), recognised(states)).mean(axis=(1, 2, 3))
    assert read[list(ESTIMATORS).index("LDA")] > read[list(ESTIMATORS).index("DiffMean")] + 0.05


def test_pca_gets_its_sign_from_the_training_pairs():
    states, found = plain()
    turned = np.concatenate([states[:, N_PAIRS:], states[:, :N_PAIRS]], axis=1)  # positive and negative change places
    index = list(ESTIMATORS).index("PCA")
    for version, result in ((states, found), (turned, recognised(turned))):
        assert estimator_hits(reader(version), result)[index].mean() > 0.9


def test_pca_is_the_first_right_singular_vector_of_the_differences():
    positive, negative = np.random.default_rng(0).normal(size=(2, 12, 30)) + np.array([0.4, 0.0])[:, None, None]
    found = ESTIMATORS["PCA"](positive, negative)
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
    expected = [recognised(states, signs=row, n_partitions=1, seed=1).chosen for row in signs]
    np.testing.assert_allclose(shuffled(states, n_shuffles=4, seed=1), expected)


def test_random_directions_heed_the_seed():
    states = texts(0.0)[:, :, 1]
    one, same, other = (random_accuracy(states, n_directions=20, seed=seed) for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


def test_shuffles_heed_the_seed():
    one, same, other = (shuffled(texts(1.0), n_shuffles=3, seed=seed) for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()
