"""Everything that is asked of a concept, on states with a known structure, and what is stored of it."""

from functools import cache

import numpy as np
import pytest

from tests.questions.states import GROUPS, N_LANGUAGES, N_LAYERS, N_PAIRS, differences, reader, recognised, texts
from xlv.questions.analysis import (
    ConceptAnalysis,
    across,
    analyse_concept,
    analyse_concepts,
    consistency_arrays,
    levelled,
    other_concept_accuracy,
    recognition_arrays,
)
from xlv.questions.consistency.moments import as_arrays, moments
from xlv.questions.recognition.accuracy import as_published
from xlv.questions.recognition.comparisons import readout
from xlv.results import check
from xlv.schema import SCHEMA
from xlv.statistics.vectors import own

COHORTS = {"first": np.arange(12), "second": np.arange(12, N_PAIRS), "all": np.arange(N_PAIRS)}


@cache
def analysed(seed: int = 0) -> ConceptAnalysis:
    return analyse_concept(reader(texts(1.5)), N_LAYERS, GROUPS, cohorts=COHORTS, seed=seed)


def parts(found: ConceptAnalysis) -> dict[str, np.ndarray]:
    return {**found.consistency, **found.recognition}


# at random, by the seed of the folds
DRAWN = ("shuffled", "shuffled_paper", "random", "random_paper", "curve", "moment")


def test_vectors_and_cosines_are_those_of_all_pairs():
    states, found = texts(1.5), analysed()
    for layer in range(N_LAYERS):
        vectors = (states[:, :N_PAIRS, layer] - states[:, N_PAIRS:, layer]).mean(axis=1)
        np.testing.assert_allclose(found.vectors[layer], vectors, atol=1e-5)
        lengths = np.linalg.norm(vectors, axis=1)
        np.testing.assert_allclose(
            found.consistency["cosine"][:, :, layer], vectors @ vectors.T / np.outer(lengths, lengths), atol=1e-5
        )


def test_parts_have_the_shapes_that_are_documented():
    found = analysed()
    recognition, consistency = found.recognition, found.consistency
    assert recognition["estimated"].shape[1:] == (2, N_LANGUAGES, N_PAIRS)
    assert consistency["cosine"].shape == (N_LANGUAGES, N_LANGUAGES, N_LAYERS)
    assert recognition["shuffled"].shape[1:] == (N_LANGUAGES, N_LANGUAGES)
    assert recognition["random"].shape[1] == N_LANGUAGES and recognition["curve"].shape[1:] == (N_LANGUAGES, N_PAIRS)
    assert consistency["moment"].shape == (3, 2, N_LANGUAGES, N_LANGUAGES)
    assert consistency["chosen_layer"] == 2 == int(np.median(found.layers))  # where the concept is


def test_another_seed_of_the_folds_draws_folds_nulls_curve_and_halves_anew():
    here, there = parts(analysed()), parts(analysed(seed=1))
    for name in DRAWN:
        assert not np.array_equal(here[name], there[name], equal_nan=True), name
    (cv, paper), (cv_there, paper_there) = here["correct"], there["correct"]
    assert (cv != cv_there).any()
    np.testing.assert_array_equal(paper, paper_there)  # nothing drawn
    np.testing.assert_array_equal(here["cosine"], there["cosine"])


def test_a_cohort_is_trained_and_tested_within_itself():
    found, states = analysed(), texts(1.5)
    assert found.cohorts == ("first", "second", "all")
    for row, pairs in enumerate(COHORTS.values()):
        here = np.concatenate([states[:, pairs], states[:, N_PAIRS + pairs]], axis=1)
        groups = np.arange(len(pairs)) // 2
        alone = analyse_concept(reader(here), N_LAYERS, groups).recognition
        np.testing.assert_array_equal(found.recognition["cohort_accuracy"][row], alone["accuracy"][0])
        for name in ("replicate", "surplus"):
            np.testing.assert_array_equal(found.recognition[name][row], alone[name][0])
    blocks = np.isfinite(found.recognition["replicate"]).all(axis=(2, 3)).sum(axis=1)
    assert list(blocks) == [6, 10, 16]  # situations


def test_several_concepts_at_a_time_give_what_each_gives_alone():
    states = {name: reader(texts(effect, seed=k)) for k, (name, effect) in enumerate({"a": 1.5, "b": 0.0}.items())}
    told = []
    found = analyse_concepts(states, N_LAYERS, [GROUPS] * 2, progress=lambda *what: told.append(what))
    assert list(found) == ["a", "b"] and told[-1] == ("analysing", 2, 2)
    for name, layers in states.items():
        alone = analyse_concept(layers, N_LAYERS, GROUPS)
        np.testing.assert_array_equal(found[name].recognition["shuffled"], alone.recognition["shuffled"])
    again = analyse_concepts({"a": states["a"]}, N_LAYERS, [GROUPS], cohorts=[COHORTS], seed=1)["a"]
    np.testing.assert_array_equal(again.recognition["replicate"], analysed(seed=1).recognition["replicate"])


def test_too_few_groups_are_refused():
    with pytest.raises(ValueError, match="at least 4 groups"):
        analyse_concept(reader(texts(1.5)), N_LAYERS, np.arange(N_PAIRS) // 16)


def test_a_vector_reads_its_own_concept_and_not_an_unrelated_one():
    one, other = texts(4.0), texts(0.0, seed=9)
    other[:, :N_PAIRS, 1, 5] += 4.0
    found = {"one": analyse_concept(reader(one), N_LAYERS, GROUPS)}
    layers = found["one"].layers
    assert other_concept_accuracy(found["one"].vectors, layers, reader(one)).min() > 0.9
    assert np.abs(other_concept_accuracy(found["one"].vectors, layers, reader(other)) - 0.5).max() < 0.25
    found["other"] = analyse_concept(reader(other), N_LAYERS, GROUPS)
    table = across(found, {"one": reader(one), "other": reader(other)})
    np.testing.assert_allclose(table[0, 0], own(recognised(one).correct).mean(axis=1))
    np.testing.assert_allclose(table[0, 1], other_concept_accuracy(found["one"].vectors, layers, reader(other)))
    assert table[1, 1].min() > 0.9 and np.abs(table[1, 0] - 0.5).max() < 0.25


LANGUAGES = ("en", "fr", "sw")
FEWER = 24  # pairs of the second concept


@pytest.fixture(scope="module")
def analysis():
    whole, part = texts(2.0), texts(1.0, seed=1)
    part = np.concatenate([part[:, :FEWER], part[:, N_PAIRS : N_PAIRS + FEWER]], axis=1)
    states, groups = {"morality": reader(whole), "tense": reader(part)}, [GROUPS, GROUPS[:FEWER]]
    found = analyse_concepts(states, N_LAYERS, groups)
    surface = [np.zeros((2, N_LANGUAGES, len(g))) for g in groups]
    return found, recognition_arrays(found, states, LANGUAGES, surface), consistency_arrays(found, LANGUAGES)


def test_every_variable_is_declared_with_its_dimensions(analysis):
    _, recognition, consistency = analysis
    check(recognition, "recognition"), check(consistency, "consistency")
    assert set(consistency) == set(SCHEMA["consistency"])
    measured_elsewhere = {"embedded", "untrained", "untrained_paper", "likelihood", "token_overlap", "neutral_nats"}
    measured_elsewhere |= {"resampled", "cohort_surface", "origin"}
    assert set(SCHEMA["recognition"]) - set(recognition) <= measured_elsewhere


def test_the_headline_is_the_accuracy_at_the_chosen_layer(analysis):
    _, recognition, _ = analysis
    for protocol, result in (("cv", recognised(texts(2.0))), ("paper", as_published(differences(texts(2.0))))):
        cell = recognition.sel(protocol=protocol, concept="morality")
        np.testing.assert_allclose(cell["accuracy"], result.chosen)
        np.testing.assert_allclose(cell["accuracy_by_layer"], result.accuracy)
        np.testing.assert_array_equal(cell["chosen_layer"], result.layer)
    np.testing.assert_allclose(recognition["accuracy"], recognition["correct"].mean("pair"))


def test_concepts_of_fewer_pairs_are_padded_with_nothing(analysis):
    found, recognition, _ = analysis
    assert recognition.sizes["pair"] == N_PAIRS
    assert recognition["group"].sel(concept="tense").notnull().sum() == FEWER
    for name in ("correct", "by_layer", "readout", "estimated", "curve", "surface"):
        assert recognition[name].sel(concept="tense").isel(pair=slice(FEWER, None)).isnull().all(), name
    np.testing.assert_array_equal(recognition["correct"][:, 1, ..., :FEWER], found["tense"].recognition["correct"])


def test_own_and_other_readers_are_the_diagonal_and_the_mean_of_the_rest(analysis):
    _, recognition, _ = analysis
    carried = readout(reader(texts(2.0)), recognised(texts(2.0))).carried  # [source, target, pair]
    stored = recognition["readout"].sel(concept="morality", measure="carried")
    np.testing.assert_allclose(stored.sel(reader="own"), own(carried))
    others = np.stack([np.delete(carried[:, t], t, axis=0).mean(axis=0) for t in range(N_LANGUAGES)])
    np.testing.assert_allclose(stored.sel(reader="other"), others)


def test_consistency_is_that_of_each_concept_and_moments_those_at_the_layers_of_its_halves(analysis):
    found, _, consistency = analysis
    for concept, analysed in found.items():
        for name, array in analysed.consistency.items():
            np.testing.assert_array_equal(consistency[name].sel(concept=concept), array)
    cell, layers = consistency.sel(concept="morality", cohort="all"), differences(texts(2.0))
    assert int(cell["chosen_layer"]) == int(np.median(found["morality"].layers))
    expected = as_arrays(moments([layers[int(k) - 1] for k in cell["moment_layer"]], GROUPS))
    for name, array in expected.items():
        np.testing.assert_array_equal(cell[name], array)
    assert list(consistency["layer"].values) == [1, 2, 3, 4]


def test_rows_of_unequal_length_become_one_array():
    rows = [np.array([1, 2, 3]), np.array([4])]
    np.testing.assert_array_equal(levelled(rows), [[1, 2, 3], [4, np.nan, np.nan]])
    assert levelled(rows, 5, (2, 1)).shape == (2, 1, 5)
