"""Everything that is asked of one concept, on states with a known structure."""

from functools import cache

import numpy as np
import pytest

from tests.questions.states import GROUPS, N_LANGUAGES, N_LAYERS, N_PAIRS, reader, texts
from xlv.questions.concept import ConceptAnalysis, across, analyse_concept, analyse_concepts, other_concept_accuracy
from xlv.statistics.vectors import own

SIZE = 40  # resamples


@cache
def analysed(folds: int = 0, seed: int = 0) -> ConceptAnalysis:
    return analyse_concept(reader(texts(1.5)), N_LAYERS, GROUPS, n_resamples=SIZE, folds=folds, seed=seed)


def random_parts(found: ConceptAnalysis) -> dict[str, np.ndarray]:
    """What is drawn at random by the seed of the folds."""
    return {
        "folds": found.cv.folds,
        "shuffled": found.shuffled,
        "random": found.random,
        "curve": found.curve,
        "halves": found.halves.agreement,
        "profile": found.profile.reliability,
    }


def test_vectors_and_cosines_are_those_of_all_pairs():
    states, found = texts(1.5), analysed()
    for layer in range(N_LAYERS):
        vectors = (states[:, :N_PAIRS, layer] - states[:, N_PAIRS:, layer]).mean(axis=1)
        np.testing.assert_allclose(found.vectors[layer], vectors, atol=1e-5)
        lengths = np.linalg.norm(vectors, axis=1)
        np.testing.assert_allclose(
            found.cosine[:, :, layer], vectors @ vectors.T / np.outer(lengths, lengths), atol=1e-5
        )


def test_parts_have_the_shapes_that_are_documented():
    found = analysed()
    assert found.resampled.shape == (SIZE, N_LANGUAGES, N_LANGUAGES)
    assert found.estimators.shape == (4, N_LANGUAGES, N_LANGUAGES, N_PAIRS)
    assert found.cosine.shape == (N_LANGUAGES, N_LANGUAGES, N_LAYERS)
    assert found.shuffled.shape[1:] == (N_LANGUAGES, N_LANGUAGES) and found.random.shape[1] == N_LANGUAGES
    assert found.curve.shape[1:] == (N_LANGUAGES, N_PAIRS) and found.profile.corrected.shape[0] == N_LAYERS
    assert found.layer == 2 == int(np.median(found.cv.layer[:, 0]))  # where the concept is


def test_another_seed_of_the_folds_draws_folds_nulls_curve_and_halves_anew():
    here, there = random_parts(analysed()), random_parts(analysed(folds=1))
    for name, array in here.items():
        assert not np.array_equal(array, there[name], equal_nan=True), name
    np.testing.assert_array_equal(analysed().paper.correct, analysed(folds=1).paper.correct)  # nothing drawn
    np.testing.assert_array_equal(analysed().cosine, analysed(folds=1).cosine)


def test_the_seed_of_the_resamples_draws_nothing_else():
    here, there = analysed(), analysed(seed=1)
    assert (here.resampled != there.resampled).any()
    for name, array in random_parts(here).items():
        np.testing.assert_array_equal(array, random_parts(there)[name], name)


def test_several_concepts_at_a_time_give_what_each_gives_alone():
    states = {name: reader(texts(effect, seed=k)) for k, (name, effect) in enumerate({"a": 1.5, "b": 0.0}.items())}
    told = []
    found = analyse_concepts(states, N_LAYERS, [GROUPS] * 2, n_resamples=SIZE, progress=lambda *what: told.append(what))
    assert list(found) == ["a", "b"] and told[-1] == ("analysing", 2, 2)
    for place, (name, layers) in enumerate(states.items()):
        alone = analyse_concept(layers, N_LAYERS, GROUPS, n_resamples=SIZE, seed=place)
        np.testing.assert_array_equal(found[name].resampled, alone.resampled)
        np.testing.assert_array_equal(found[name].shuffled, alone.shuffled)
    again = analyse_concepts({"a": states["a"]}, N_LAYERS, [GROUPS], n_resamples=SIZE, seed=1)["a"]
    np.testing.assert_array_equal(again.resampled, analysed(folds=1, seed=1000).resampled)


def test_too_few_groups_are_refused():
    with pytest.raises(ValueError, match="at least 4 groups"):
        analyse_concept(reader(texts(1.5)), N_LAYERS, np.arange(N_PAIRS) // 16, n_resamples=SIZE)


def test_a_vector_reads_its_own_concept_and_not_an_unrelated_one():
    one, other = texts(4.0), texts(0.0, seed=9)
    other[:, :N_PAIRS, 1, 5] += 4.0
    found = {"one": analyse_concept(reader(one), N_LAYERS, GROUPS, n_resamples=SIZE)}
    layers = found["one"].cv.layer[:, 0]
    assert other_concept_accuracy(found["one"].vectors, layers, reader(one)).min() > 0.9
    assert np.abs(other_concept_accuracy(found["one"].vectors, layers, reader(other)) - 0.5).max() < 0.25
    found["other"] = analyse_concept(reader(other), N_LAYERS, GROUPS, n_resamples=SIZE)
    table = across(found, {"one": reader(one), "other": reader(other)})
    np.testing.assert_allclose(table[0, 0], own(found["one"].cv.correct).mean(axis=1))
    np.testing.assert_allclose(table[0, 1], other_concept_accuracy(found["one"].vectors, layers, reader(other)))
    assert table[1, 1].min() > 0.9 and np.abs(table[1, 0] - 0.5).max() < 0.25
