import numpy as np
import pytest

from xlv.questions.recognition.accuracy import as_published, cross_validated, paper_split
from xlv.statistics.resampling import group_indices
from xlv.statistics.vectors import concept_vectors, hits, pair_gram

N_LANGUAGES, N_PAIRS, N_LAYERS, WIDTH = 3, 40, 5, 24
GROUPS = np.arange(N_PAIRS) // 2


def differences(effect: float, seed: int = 0, layer: int = 2) -> np.ndarray:
    """Pair differences `[language, pair, layer, d]`: noise, and a shared direction of length `effect` at one layer."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(N_LANGUAGES, N_PAIRS, N_LAYERS, WIDTH))
    noise[:, :, layer, 0] += effect
    return noise


def grams(diffs):
    return [pair_gram(diffs[:, :, k]) for k in range(diffs.shape[2])]


def test_diffmean_is_the_mean_of_the_pair_differences():
    generator = np.random.default_rng(0)
    positive, negative = generator.normal(size=(2, 10, 4))
    expected = np.mean([p - n for p, n in zip(positive, negative, strict=True)], axis=0)
    np.testing.assert_allclose(concept_vectors(positive, negative), expected)
    with pytest.raises(ValueError, match="as many positive as negative"):
        concept_vectors(positive, negative[:5])


def test_gram_margins_equal_projections_on_explicit_vectors():
    diffs = differences(1.0)
    found = cross_validated(grams(diffs), GROUPS)
    layer = 2
    by_hand = np.zeros((N_LANGUAGES, N_LANGUAGES))
    from xlv.statistics.resampling import partitions

    folds = partitions(GROUPS, n_folds=8, n_partitions=10)
    for fold_of in folds:
        for i in range(N_PAIRS):
            vectors = diffs[:, fold_of != fold_of[i], layer].mean(axis=1)
            by_hand += hits(vectors @ diffs[:, i, layer].T)
    np.testing.assert_allclose(found.accuracy[:, :, layer], by_hand / (len(folds) * N_PAIRS), atol=1e-6)


def test_a_planted_direction_is_found_at_its_layer_and_nowhere_else():
    found = cross_validated(grams(differences(2.0)), GROUPS)
    assert (found.layer == 3).all()
    assert found.chosen.min() > 0.9
    assert abs(found.accuracy[:, :, 0].mean() - 0.5) < 0.12


def test_noise_gives_chance_on_average_whatever_the_layer_choice():
    means = [cross_validated(grams(differences(0.0, seed)), GROUPS, n_partitions=1).chosen.mean() for seed in range(60)]
    assert abs(np.mean(means) - 0.5) < 3 * np.std(means) / np.sqrt(len(means)) + 1e-9


def test_choosing_on_test_pairs_flatters_noise():
    cv, paper = [], []
    for seed in range(20):
        cv.append(cross_validated(grams(differences(0.0, seed)), GROUPS, n_partitions=1).chosen.mean())
        paper.append(as_published(grams(differences(0.0, seed))).chosen.mean())
    assert np.mean(paper) > np.mean(cv) + 0.1


def test_the_last_layer_is_not_eligible():
    found = cross_validated(grams(differences(3.0, layer=N_LAYERS - 1)), GROUPS)
    assert found.layer.max() < N_LAYERS


def test_no_group_is_ever_split():
    """Two copies of each pair: if a copy could train what its twin tests, noise would be read perfectly."""
    diffs = differences(0.0)
    diffs[:, 1::2] = diffs[:, ::2]
    split, whole = (
        cross_validated(grams(diffs), groups).accuracy.diagonal().mean() for groups in (np.arange(N_PAIRS), GROUPS)
    )
    assert split > 0.65 > 0.58 > whole


def test_target_labels_never_enter_the_layer_choice():
    diffs = differences(2.0)
    flipped = diffs.copy()
    flipped[1] *= -1
    one, two = cross_validated(grams(diffs), GROUPS), cross_validated(grams(flipped), GROUPS)
    assert (one.layer[0] == two.layer[0]).all()
    np.testing.assert_allclose(two.chosen[0, 1], 1 - one.chosen[0, 1], atol=1e-6)


def test_shuffled_signs_destroy_the_effect():
    generator = np.random.default_rng(5)
    material = grams(differences(2.0))
    means = [
        cross_validated(material, GROUPS, signs=generator.choice([-1.0, 1.0], N_PAIRS), n_partitions=1).chosen.mean()
        for _ in range(40)
    ]
    assert abs(np.mean(means) - 0.5) < 0.05


def test_ties_count_half_in_cv_and_one_in_paper():
    still = [np.zeros((1, N_PAIRS, 1, N_PAIRS), dtype=np.float32)] * 2
    assert cross_validated(still, GROUPS).chosen.item() == 0.5
    assert as_published(still).chosen.item() == 1.0


def test_paper_split_is_python_s_shuffle_with_seed_one():
    import random

    order = list(range(10))
    random.seed(1)
    random.shuffle(order)
    train, test = paper_split(10)
    assert list(train) == order[:8] and list(test) == order[8:]


def test_one_group_cannot_be_folded():
    with pytest.raises(ValueError, match="at least two groups"):
        cross_validated(grams(differences(1.0)), group_indices(["same"] * N_PAIRS))
