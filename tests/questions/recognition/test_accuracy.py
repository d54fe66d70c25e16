"""Recognition accuracy under both protocols, on pair differences with a known structure."""

import random

import numpy as np
import pytest
from scipy.stats import norm

from tests.questions import states
from xlv.questions.recognition.accuracy import (
    as_published,
    cross_validated,
    jackknifed,
    learning_curve,
    own_hits,
    paper_split,
    recognition,
    training_pairs,
)
from xlv.statistics.jackknife import blocks
from xlv.statistics.resampling import group_indices, partitions
from xlv.statistics.vectors import hits, own, own_gram

N_LANGUAGES, N_PAIRS, N_LAYERS, WIDTH = 3, 40, 5, 24
GROUPS = np.arange(N_PAIRS) // 2


def differences(effect: float, seed: int = 0, layer: int = 2) -> np.ndarray:
    """Pair differences `[language, pair, layer, d]`: noise, and a shared direction of length `effect` at one layer."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(N_LANGUAGES, N_PAIRS, N_LAYERS, WIDTH))
    noise[:, :, layer, 0] += effect
    return noise


def layers(diffs):
    return [diffs[:, :, k] for k in range(diffs.shape[2])]


def test_margins_equal_projections_on_explicit_vectors():
    diffs = differences(1.0)
    found = cross_validated(layers(diffs), GROUPS)
    layer = 2
    by_hand = np.zeros((N_LANGUAGES, N_LANGUAGES))
    folds = partitions(GROUPS, n_folds=8, n_partitions=10)
    for fold_of in folds:
        for i in range(N_PAIRS):
            vectors = diffs[:, fold_of != fold_of[i], layer].mean(axis=1)
            by_hand += hits(vectors @ diffs[:, i, layer].T)
    np.testing.assert_allclose(found.accuracy[:, :, layer], by_hand / (len(folds) * N_PAIRS), atol=1e-6)


def test_a_planted_direction_is_found_at_its_layer_and_nowhere_else():
    found = cross_validated(layers(differences(2.0)), GROUPS)
    assert (found.layer == 3).all()
    assert found.chosen.min() > 0.9
    assert abs(found.accuracy[:, :, 0].mean() - 0.5) < 0.12


@pytest.mark.simulate
def test_noise_gives_chance_on_average_whatever_the_layer_choice(runs):
    noise = (layers(differences(0.0, seed)) for seed in range(runs(1000, sample=60)))
    means = [cross_validated(material, GROUPS, n_partitions=1).chosen.mean() for material in noise]
    assert abs(np.mean(means) - 0.5) < 3 * np.std(means) / np.sqrt(len(means)) + 1e-9


@pytest.mark.simulate
def test_choosing_on_test_pairs_flatters_noise(runs):
    cv, paper = [], []
    for seed in range(runs(200, sample=20)):
        cv.append(cross_validated(layers(differences(0.0, seed)), GROUPS, n_partitions=1).chosen.mean())
        paper.append(as_published(layers(differences(0.0, seed))).chosen.mean())
    assert np.mean(paper) > np.mean(cv) + 0.1


def test_the_last_layer_is_not_eligible():
    found = cross_validated(layers(differences(3.0, layer=N_LAYERS - 1)), GROUPS)
    assert found.layer.max() < N_LAYERS


def test_no_group_is_ever_split():
    """Two copies of each pair: if a copy could train what its twin tests, noise would be read perfectly."""
    diffs = differences(0.0)
    diffs[:, 1::2] = diffs[:, ::2]
    split, whole = (
        cross_validated(layers(diffs), groups).accuracy.diagonal().mean() for groups in (np.arange(N_PAIRS), GROUPS)
    )
    assert split > 0.65 > 0.58 > whole


def test_target_labels_never_enter_the_layer_choice():
    diffs = differences(2.0)
    flipped = diffs.copy()
    flipped[1] *= -1
    one, two = cross_validated(layers(diffs), GROUPS), cross_validated(layers(flipped), GROUPS)
    assert (one.layer[0] == two.layer[0]).all()
    np.testing.assert_allclose(two.chosen[0, 1], 1 - one.chosen[0, 1], atol=1e-6)


def test_shuffled_signs_destroy_the_effect():
    generator = np.random.default_rng(5)
    material = layers(differences(2.0))
    means = [
        cross_validated([here * signs[:, None] for here in material], GROUPS, n_partitions=1).chosen.mean()
        for signs in generator.choice([-1.0, 1.0], (40, N_PAIRS))
    ]
    assert abs(np.mean(means) - 0.5) < 0.05


def test_ties_count_half_in_cv_and_one_in_paper():
    still = [np.zeros((1, N_PAIRS, WIDTH), dtype=np.float32)] * 2
    assert cross_validated(still, GROUPS).chosen.item() == 0.5
    assert as_published(still).chosen.item() == 1.0


def test_paper_split_is_python_s_shuffle_with_seed_one():
    order = list(range(10))
    random.Random(1).shuffle(order)
    train, test = paper_split(10)
    assert list(train) == order[:8] and list(test) == order[8:]


def test_the_paper_s_split_leaves_python_s_random_numbers_alone():
    random.seed(5)
    expected = random.random()
    random.seed(5)
    paper_split(10)
    as_published(layers(differences(1.0)))
    assert random.random() == expected


def test_protocol_paper_tests_a_fifth_of_the_pairs_at_the_layer_that_is_best_on_them():
    diffs = differences(1.0)
    train, test = paper_split(N_PAIRS)
    found = as_published(layers(diffs))
    vectors = diffs[:, train].mean(axis=1)
    right = np.einsum("skd,tikd->stki", vectors, diffs[:, test]) >= 0
    np.testing.assert_allclose(found.accuracy, right.mean(axis=-1))
    np.testing.assert_array_equal(found.layer, right.mean(axis=-1).argmax(axis=-1) + 1)
    assert (np.isfinite(found.correct[0, 0]) == np.isin(np.arange(N_PAIRS), test)).all()
    np.testing.assert_allclose(found.chosen, right.mean(axis=-1).max(axis=-1))
    with pytest.raises(ValueError, match="at least 2 pairs"):
        as_published(layers(diffs[:, :1]))


def test_one_group_cannot_be_folded():
    with pytest.raises(ValueError, match="at least two groups"):
        cross_validated(layers(differences(1.0)), group_indices(["same"] * N_PAIRS))


def test_training_pairs_are_never_the_fold_s_own_and_can_be_limited():
    folds = partitions(GROUPS, n_folds=4, n_partitions=2)
    whole, few = training_pairs(folds), training_pairs(folds, limit=6)
    assert whole.shape == (2, 4, N_PAIRS) and (few.sum(axis=-1) == 6).all() and (few <= whole).all()
    for p, fold in np.ndindex(2, 4):
        np.testing.assert_array_equal(whole[p, fold], folds[p] != fold)


def test_partitions_heed_the_seed():
    material = layers(differences(0.5))
    one, same, other = (cross_validated(material, GROUPS, n_partitions=2, seed=seed).correct for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


@pytest.mark.simulate
@pytest.mark.parametrize("effect", [0.0, 0.8])
def test_intervals_cover_the_true_accuracy_with_and_without_a_concept(effect, runs):
    """The truth is the mean over many data sets; their intervals must cover it about as often as they say."""
    groups, values, ends = np.arange(32) // 2, [], []
    for seed in range(runs(400, sample=60)):
        diffs = np.random.default_rng(seed).normal(size=(2, 32, 2, 12))
        diffs[..., 0] += effect
        material = layers(diffs)
        found = cross_validated(material, groups, n_partitions=4)
        values.append(found.chosen[0, 1])
        ends.append(jackknifed(lambda k, of=material: of[k - 1], found, groups).interval())
    truth = np.mean(values)
    covered = [low[0, 1] <= truth <= high[0, 1] for low, high in ends]
    assert np.mean(covered) >= 0.88


def test_a_replicate_is_the_accuracy_without_a_block_in_training_and_test_to_first_order():
    diffs, groups = differences(0.8), group_indices(np.arange(N_PAIRS) // 2 % 18)  # some situations of four pairs
    found = cross_validated(layers(diffs), groups, n_partitions=3)
    block, by_layer = blocks(groups), layers(diffs)
    left_out = jackknifed(lambda k: by_layer[k - 1], found, groups).replicates
    assert left_out.shape == (18, N_LANGUAGES, N_LANGUAGES)
    for b in (0, 7, 17):
        right, count = np.zeros((N_LANGUAGES, N_LANGUAGES)), 0
        for fold_of, choice in zip(found.folds, found.choice, strict=True):
            for i in np.flatnonzero(block != b):
                count += 1
                train = fold_of != fold_of[i]
                there = np.unique(block[train])
                for source, layer in enumerate(choice[fold_of[i]]):
                    inner = diffs[source, :, layer - 1] @ diffs[:, i, layer - 1].T  # [training pair, target]
                    parts = np.stack([inner[train & (block == k)].sum(axis=0) for k in there])
                    error = parts.std(axis=0, ddof=1) * np.sqrt(len(there))
                    change = (parts - parts.mean(axis=0))[there == b].sum(axis=0)
                    margin = parts.sum(axis=0)
                    right[source] += hits(margin) - norm.pdf(margin / error) * change / error
        np.testing.assert_allclose(left_out[b], right / count, atol=1e-5)


def test_own_hits_are_those_of_own_vectors_under_cv():
    material, found = states.plain()
    np.testing.assert_array_equal(own_hits(states.reader(material), states.N_LAYERS, states.GROUPS), own(found.correct))


def grams(material):
    return [own_gram(here) for here in states.differences(material)]


def test_a_point_of_the_curve_is_own_accuracy_of_so_many_training_pairs():
    diffs = states.differences(states.texts(1.0))[1]
    folds = partitions(states.GROUPS, n_folds=8, n_partitions=3)
    train, right = training_pairs(folds, limit=8), np.zeros(diffs.shape[:2])
    for p, i in np.ndindex(folds.shape):
        vectors = diffs[:, train[p, folds[p, i]]].mean(axis=1)
        right[:, i] += hits((vectors * diffs[:, i]).sum(axis=-1)) / len(folds)
    np.testing.assert_allclose(learning_curve([own_gram(diffs)], states.GROUPS, [8])[0], right)


def test_more_training_pairs_read_better_and_impossible_sizes_are_missing():
    curves = [learning_curve(grams(states.texts(1.0, seed=seed)), states.GROUPS) for seed in range(6)]
    mean = np.mean(curves, axis=(0, 2, 3))
    assert mean[0] < mean[1] < mean[2] and np.isnan(mean[3:]).all()


def test_a_learning_curve_heeds_the_seed():
    material = grams(states.texts(1.0))
    one, same, other = (learning_curve(material, states.GROUPS, [8], seed=seed) for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


@pytest.mark.parametrize("protocol", ["cv", "paper"])
def test_recognition_of_labelled_states_is_that_of_their_differences(protocol):
    material = states.texts(1.5)
    situations = [f"situation {group}" for group in states.GROUPS]
    found = recognition(material, situations, protocol=protocol)
    expected = states.recognised(material) if protocol == "cv" else as_published(states.differences(material))
    np.testing.assert_array_equal(found.correct, expected.correct)
    np.testing.assert_array_equal(found.layer, expected.layer)


def test_recognition_takes_pairs_without_names_as_situations_of_their_own_and_heeds_the_seed():
    material = states.texts(0.5)
    alone = cross_validated(states.differences(material), np.arange(states.N_PAIRS))
    np.testing.assert_array_equal(recognition(material).correct, alone.correct)
    assert (recognition(material, seed=1).correct != alone.correct).any()
    with pytest.raises(ValueError, match="unknown protocol 'best': choose cv or paper"):
        recognition(material, protocol="best")
