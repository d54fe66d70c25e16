"""States of texts with a known structure: three languages, four layers, a concept at the second one."""

from functools import cache

import numpy as np

from xlv.questions.recognition.accuracy import Recognition, cross_validated
from xlv.questions.recognition.comparisons import shuffled_accuracy
from xlv.statistics.vectors import Layers, own_gram

N_LANGUAGES, N_PAIRS, N_LAYERS, WIDTH = 3, 32, 4, 24
GROUPS = np.arange(N_PAIRS) // 2


def texts(effect: float, offset: float = 0.0, seed: int = 0) -> np.ndarray:
    """States `[language, example, layer, d]`: noise, a concept of size `effect` at layer 2, an offset per language."""
    states = np.random.default_rng(seed).normal(size=(N_LANGUAGES, 2 * N_PAIRS, N_LAYERS, WIDTH))
    states[:, :N_PAIRS, 1, 0] += effect / 2
    states[:, N_PAIRS:, 1, 0] -= effect / 2
    states[..., 1, 0] += offset * np.arange(N_LANGUAGES)[:, None]
    return states.astype(np.float32)


def reader(states: np.ndarray) -> Layers:
    """The states as the analysis reads them, a layer at a time."""
    return lambda layer: states[:, :, layer - 1]


def differences(states: np.ndarray) -> list[np.ndarray]:
    """The pair differences of every layer."""
    return [states[:, :N_PAIRS, k] - states[:, N_PAIRS:, k] for k in range(states.shape[2])]


def shuffled(states: np.ndarray, **options) -> np.ndarray:
    """Accuracy under shuffled labels."""
    layers = differences(states)
    return shuffled_accuracy(lambda k: layers[k - 1], [own_gram(here) for here in layers], GROUPS, **options)


def recognised(states: np.ndarray, **options) -> Recognition:
    """What protocol `cv` finds in the states."""
    return cross_validated(differences(states), GROUPS, **options)


@cache
def plain() -> tuple[np.ndarray, Recognition]:
    """A concept that every measure reads, and what protocol `cv` finds of it; not to be changed."""
    states = texts(4.0)
    return states, recognised(states)
