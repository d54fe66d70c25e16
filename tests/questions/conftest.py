"""Results as they are stored, of states with a known structure."""

import numpy as np
import pytest
import xarray as xr

from xlv.questions.analysis import analyse_concepts, consistency_arrays, recognition_arrays

LANGUAGES = ("en", "fr", "es", "zh", "ja")
CONCEPTS = ("morality", "fairness", "tense")  # two values, and one that is none
N_PAIRS, N_LAYERS, WIDTH, N_SENTENCES = 12, 3, 16, 6
GROUPS = np.arange(N_PAIRS) // 2


def _states(effect: float, seed: int) -> np.ndarray:
    """States `[language, example, layer, d]` with a concept at the second layer, of a direction that turns a little."""
    states = np.random.default_rng(seed).normal(size=(len(LANGUAGES), 2 * N_PAIRS, N_LAYERS, WIDTH))
    for language in range(len(LANGUAGES)):
        direction = np.zeros(WIDTH)
        direction[[0, 1 + language]] = 0.8, 0.6
        states[language, :N_PAIRS, 1] += effect * direction
    return states.astype(np.float32)


@pytest.fixture(scope="session")
def results() -> dict[str, xr.Dataset]:
    """Recognition and consistency of five languages and three concepts, by question; not to be changed in place."""
    generator = np.random.default_rng(0)
    states = {concept: _states(4.0 - seed, seed) for seed, concept in enumerate(CONCEPTS)}
    layers = {concept: lambda k, of=concept: states[of][:, :, k - 1] for concept in CONCEPTS}
    groups = [GROUPS] * len(CONCEPTS)
    found = analyse_concepts(layers, N_LAYERS, groups)
    surface = [generator.normal(0.2, 1, size=(2, len(LANGUAGES), N_PAIRS)) for _ in CONCEPTS]
    recognition = recognition_arrays(found, layers, LANGUAGES, surface)
    hits, shape = ("concept", "source", "pair"), (len(CONCEPTS), len(LANGUAGES), N_PAIRS)
    untrained = generator.integers(0, 2, shape).astype(float)
    untrained[:, 1:] = np.nan
    overlap = generator.uniform(0.2, 0.8, (len(LANGUAGES), len(LANGUAGES)))
    nats = np.arange(1, len(LANGUAGES) + 1)[:, None] * generator.uniform(40, 60, (1, N_SENTENCES))
    recognition = recognition.assign(
        embedded=(hits, generator.integers(0, 2, shape).astype(float)),
        likelihood=(hits, generator.normal(size=shape)),
        untrained=(hits, untrained),
        token_overlap=(("source", "target"), (overlap + overlap.T) / 2),
        neutral_nats=(("source", "sentence"), nats),
    )
    about = {"model": "my-model", "title": "My model", "preset": ""}
    return {
        "recognition": recognition.assign_attrs(about),
        "consistency": consistency_arrays(found, LANGUAGES).assign_attrs(about),
    }


@pytest.fixture
def recognition(results) -> xr.Dataset:
    return results["recognition"].copy(deep=True)


@pytest.fixture
def consistency(results) -> xr.Dataset:
    return results["consistency"].copy(deep=True)
