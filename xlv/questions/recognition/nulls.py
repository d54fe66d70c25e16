"""What directions that know nothing reach: labels shuffled, and directions drawn like the activations themselves."""

from collections.abc import Sequence

import numpy as np

from xlv.questions.recognition.accuracy import cross_validated
from xlv.statistics.vectors import hits

N_SHUFFLES = 20
N_DIRECTIONS = 100


def shuffled_accuracy(
    grams: Sequence[np.ndarray], groups: np.ndarray, *, n_shuffles: int = N_SHUFFLES, seed: int = 0
) -> np.ndarray:
    """Accuracy `[shuffle, source, target]` of the whole procedure, layer choice included, on shuffled labels.

    Positive and negative change places in random pairs, the same in every language, in training and test alike.
    """
    generator = np.random.default_rng(seed)
    signs = generator.choice([-1.0, 1.0], size=(n_shuffles, len(groups))).astype(np.float32)
    return np.stack([cross_validated(grams, groups, signs=row, n_partitions=1, seed=seed).chosen for row in signs])


def random_accuracy(states: np.ndarray, *, n_directions: int = N_DIRECTIONS, seed: int = 0) -> np.ndarray:
    """Accuracy `[draw, language]` of random directions that have the covariance of a language's activations.

    `states` `[language, example, d_model]`, positive examples first. A sum of centred states with normal weights has
    their covariance, so it lies where the activations vary, as a concept vector does, and not in idle dimensions.
    """
    generator = np.random.default_rng(seed)
    n_pairs = states.shape[1] // 2
    centred = states - states.mean(axis=1, keepdims=True)
    weights = generator.standard_normal((n_directions, states.shape[1]), dtype=np.float32)
    directions = np.einsum("re,led->lrd", weights, centred, optimize=True)
    differences = states[:, :n_pairs] - states[:, n_pairs:]
    margins = np.matmul(directions, differences.transpose(0, 2, 1))  # [language, draw, pair]
    return hits(margins).mean(axis=-1).T
