"""Directions that know nothing are at chance, and drawn anew by another seed."""

import numpy as np

from tests.questions.states import GROUPS, N_LANGUAGES, grams, texts
from xlv.questions.recognition.nulls import random_accuracy, shuffled_accuracy
from xlv.statistics.vectors import own


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
    assert found.shape == (30, N_LANGUAGES, N_LANGUAGES)
    assert abs(own(found.transpose(1, 2, 0)).mean() - 0.5) < 0.06


def test_random_directions_heed_the_seed():
    states = texts(0.0)[:, :, 1]
    one, same, other = (random_accuracy(states, n_directions=20, seed=seed) for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


def test_shuffles_heed_the_seed():
    material = grams(texts(1.0))
    one, same, other = (shuffled_accuracy(material, GROUPS, n_shuffles=3, seed=seed) for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()
