"""Results as they are stored, of states with a known structure."""

import numpy as np
import pytest
import xarray as xr

from xlv.questions.analysis import analyse_concepts, consistency_arrays, recognition_arrays
from xlv.schema import SCHEMA
from xlv.statistics.vectors import hits as hits_of

LANGUAGES = ("en", "fr", "es", "zh", "ja")
CONCEPTS = ("morality", "fairness", "tense")  # two values, and one that is none
N_PAIRS, N_LAYERS, WIDTH, N_SENTENCES = 12, 3, 16, 6
GROUPS = np.arange(N_PAIRS) // 2


def _states(effect: float, seed: int, languages: int) -> np.ndarray:
    """States `[language, example, layer, d]` with a concept at the second layer, of a direction that turns a little."""
    states = np.random.default_rng(seed).normal(size=(languages, 2 * N_PAIRS, N_LAYERS, WIDTH))
    for language in range(languages):
        direction = np.zeros(WIDTH)
        direction[[0, 1 + language]] = 0.8, 0.6
        states[language, :N_PAIRS, 1] += effect * direction
    return states.astype(np.float32)


def made(languages=LANGUAGES, concepts=CONCEPTS) -> dict[str, xr.Dataset]:
    """Recognition and consistency by question, of states with a known structure."""
    generator, n = np.random.default_rng(0), len(languages)
    states = {concept: _states(4.0 - seed, seed, n) for seed, concept in enumerate(concepts)}
    layers = {concept: lambda k, of=concept: states[of][:, :, k - 1] for concept in concepts}
    groups = [GROUPS] * len(concepts)
    found = analyse_concepts(layers, N_LAYERS, groups)
    surface = [generator.normal(0.2, 1, size=(2, n, N_PAIRS)) for _ in concepts]
    recognition = recognition_arrays(found, layers, languages, surface)
    hits, shape = ("concept", "source", "pair"), (len(concepts), n, N_PAIRS)
    untrained = generator.integers(0, 2, shape).astype(float)
    untrained[:, 1:] = np.nan
    overlap = generator.uniform(0.2, 0.8, (n, n))
    nats = np.arange(1, n + 1)[:, None] * generator.uniform(40, 60, (1, N_SENTENCES))
    recognition = recognition.assign(
        embedded=(hits, generator.integers(0, 2, shape).astype(float)),
        likelihood=(hits, generator.normal(size=shape)),
        untrained=(hits, untrained),
        token_overlap=(("source", "target"), (overlap + overlap.T) / 2),
        neutral_nats=(("source", "sentence"), nats),
        origin=(("concept", "pair"), np.tile(np.arange(N_PAIRS) % 3.0, (len(concepts), 1))),
        cohort_surface=(SCHEMA["recognition"]["cohort_surface"].dims, hits_of(recognition["surface"].values)[None]),
    )
    about = {
        "model": "my-model",
        "title": "My model",
        "preset": "",
        "cohort": "second",
        "corpus": "c",
        "parameters": 1.0,
    }
    return {
        "recognition": recognition.assign_coords(written_in=["en", "sw", "zh"]).assign_attrs(about),
        "consistency": consistency_arrays(found, languages).assign_attrs(about),
    }


@pytest.fixture(scope="session")
def results() -> dict[str, xr.Dataset]:
    """Recognition and consistency of five languages and three concepts, by question; not to be changed in place."""
    return made()


@pytest.fixture
def recognition(results) -> xr.Dataset:
    return results["recognition"].copy(deep=True)


@pytest.fixture
def consistency(results) -> xr.Dataset:
    return results["consistency"].copy(deep=True)
