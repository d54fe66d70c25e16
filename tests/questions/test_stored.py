"""What is stored of an analysis: each variable as SCHEMA declares it, and the numbers of the analysis."""

import numpy as np
import pytest

from tests.questions.states import GROUPS, N_LANGUAGES, N_LAYERS, N_PAIRS, reader, texts
from xlv.questions.concept import analyse_concepts
from xlv.questions.stored import MEASURES, consistency_arrays, levelled, recognition_arrays
from xlv.results import SCHEMA, check
from xlv.statistics.vectors import own

LANGUAGES = ("en", "fr", "sw")
FEWER = 24  # pairs of the second concept


@pytest.fixture(scope="module")
def analysis():
    whole, part = texts(2.0), texts(1.0, seed=1)
    part = np.concatenate([part[:, :FEWER], part[:, N_PAIRS : N_PAIRS + FEWER]], axis=1)
    states, groups = {"morality": reader(whole), "tense": reader(part)}, [GROUPS, GROUPS[:FEWER]]
    found = analyse_concepts(states, N_LAYERS, groups, n_resamples=30)
    surface = [np.zeros((2, N_LANGUAGES, len(g))) for g in groups]
    return found, recognition_arrays(found, states, LANGUAGES, groups, surface), consistency_arrays(found, LANGUAGES)


def test_every_variable_is_declared_with_its_dimensions(analysis):
    _, recognition, consistency = analysis
    check(recognition, "recognition"), check(consistency, "consistency")
    assert set(consistency) == set(SCHEMA["consistency"])
    measured_on_the_model = {"embedded", "untrained", "likelihood", "token_overlap", "neutral_nats"}
    assert set(SCHEMA["recognition"]) - set(recognition) == measured_on_the_model


def test_the_headline_is_the_accuracy_at_the_chosen_layer(analysis):
    found, recognition, _ = analysis
    for concept, analysed in found.items():
        for protocol, result in (("cv", analysed.cv), ("paper", analysed.paper)):
            cell = recognition.sel(protocol=protocol, concept=concept)
            np.testing.assert_allclose(cell["accuracy"], result.chosen)
            np.testing.assert_allclose(cell["accuracy"], cell["correct"].mean("pair"))
            np.testing.assert_allclose(cell["accuracy_by_layer"], result.accuracy)
            np.testing.assert_array_equal(cell["chosen_layer"], result.layer)


def test_concepts_of_fewer_pairs_are_padded_with_nothing(analysis):
    found, recognition, _ = analysis
    assert recognition.sizes["pair"] == N_PAIRS
    assert recognition["group"].sel(concept="tense").notnull().sum() == FEWER
    for name in ("correct", "by_layer", "readout", "estimated", "curve", "surface"):
        assert recognition[name].sel(concept="tense").isel(pair=slice(FEWER, None)).isnull().all(), name
    np.testing.assert_array_equal(recognition["correct"][0, 1, :, :, :FEWER], found["tense"].cv.correct)


def test_control_concepts_stay_out_of_the_resamples(analysis):
    found, recognition, _ = analysis
    np.testing.assert_array_equal(recognition["resampled"], found["morality"].resampled)


def test_own_and_other_readers_are_the_diagonal_and_the_mean_of_the_rest(analysis):
    found, recognition, _ = analysis
    carried = found["morality"].readout.carried  # [source, target, pair]
    stored = recognition["readout"].sel(concept="morality", measure=MEASURES[1])
    np.testing.assert_allclose(stored.sel(reader="own"), own(carried))
    others = np.stack([np.delete(carried[:, t], t, axis=0).mean(axis=0) for t in range(N_LANGUAGES)])
    np.testing.assert_allclose(stored.sel(reader="other"), others)


def test_consistency_is_that_of_half_vectors_at_the_median_layer(analysis):
    found, _, consistency = analysis
    for concept, analysed in found.items():
        cell = consistency.sel(concept=concept)
        assert int(cell["chosen_layer"]) == analysed.layer
        np.testing.assert_array_equal(cell["corrected"], analysed.halves.corrected)
        np.testing.assert_array_equal(cell["corrected_mean"], analysed.halves.mean)
        np.testing.assert_array_equal(cell["reliability_profile"], analysed.profile.reliability)
        np.testing.assert_allclose(cell["cosine"], analysed.cosine)
    assert list(consistency["layer"].values) == [1, 2, 3, 4]


def test_rows_of_unequal_length_become_one_array():
    rows = [np.array([1, 2, 3]), np.array([4])]
    np.testing.assert_array_equal(levelled(rows), [[1, 2, 3], [4, np.nan, np.nan]])
    assert levelled(rows, 5, (2, 1)).shape == (2, 1, 5)
