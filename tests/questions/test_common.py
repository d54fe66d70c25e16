import numpy as np
import pytest
import xarray as xr

from xlv.models.presets import PRESETS
from xlv.questions.common import (
    apart,
    competence,
    concept_accuracy,
    dominant_languages,
    estimate,
    frame,
    over_values,
    own_cells,
    resource_order,
    resource_ranks,
    value_accuracy,
    value_concepts,
)
from xlv.statistics.jackknife import Replicated


def test_control_concepts_are_no_values_unless_there_is_nothing_else(recognition):
    assert value_concepts(recognition) == ["morality", "fairness"]
    assert value_concepts(recognition.sel(concept=["tense"])) == ["tense"]


def test_an_estimate_is_the_mean_over_values_of_the_pairs_that_were_tested(recognition):
    hits = recognition["correct"].sel(protocol="paper")  # most pairs are not tested
    found = estimate(recognition, hits)
    expected = hits.sel(concept=["morality", "fairness"]).mean("pair").mean("concept")
    np.testing.assert_allclose(found.value, expected)
    assert found.replicates.shape == (2 * 6, 5, 5)  # a row per value and group


def test_an_estimate_s_error_is_that_of_means_of_whole_groups_of_independent_concepts(recognition):
    array = recognition["embedded"]
    found = estimate(recognition, array).standard_error()
    groups = array[:2].values.reshape(2, 5, 6, 2).mean(axis=-1)  # two pairs each
    np.testing.assert_allclose(found, np.sqrt((groups.var(axis=-1, ddof=1) / 6).sum(axis=0)) / 2)


def test_pairs_of_a_concept_that_has_fewer_are_not_counted(recognition):
    groups, hits = recognition["group"].copy(), recognition["embedded"].copy(data=np.ones((3, 5, 12)))
    groups[1, 8:] = np.nan
    hits[1, :, 8:] = 0.0
    np.testing.assert_allclose(estimate(recognition.assign(group=groups), hits).value, 1.0)


def test_accuracy_under_cv_has_the_errors_of_its_concepts_and_under_paper_those_of_its_test_pairs(recognition):
    cv, paper = (value_accuracy(recognition, protocol) for protocol in ("cv", "paper"))
    np.testing.assert_allclose(cv.value, recognition["correct"].sel(protocol="cv")[:2].mean(("pair", "concept")))
    each = [concept_accuracy(recognition, name) for name in ("morality", "fairness")]
    jackknife = np.mean([Replicated(one.value, one.replicates).standard_error() ** 2 for one in each], axis=0) / 2
    np.testing.assert_allclose(Replicated(cv.value, cv.replicates).standard_error(), np.sqrt(jackknife))
    np.testing.assert_allclose(cv.excess, (each[0].excess + each[1].excess) / 2)
    np.testing.assert_allclose(paper.value, recognition["accuracy"].sel(protocol="paper")[:2].mean("concept"))


def test_cells_of_two_languages_and_frames_of_cells(recognition):
    assert apart(3).sum() == 6 and not apart(3).diagonal().any()
    overlap = recognition["token_overlap"]
    assert frame(overlap).loc["fr", "zh"] == float(overlap.sel(source="fr", target="zh"))
    own = own_cells(recognition["accuracy"])
    assert set(own.dims) == {"protocol", "concept", "source"} and "target" not in own.coords
    for code in recognition["source"].values:
        expected = recognition["accuracy"].sel(source=code, target=code)
        np.testing.assert_array_equal(own.sel(source=code).transpose(*expected.dims), expected)


def test_means_over_values_leave_control_concepts_out(recognition):
    accuracy = recognition["accuracy"]
    np.testing.assert_array_equal(over_values(accuracy), accuracy.sel(concept=["morality", "fairness"]).mean("concept"))


def test_dominant_languages_are_the_model_s_or_english(recognition):
    assert list(dominant_languages(recognition)) == [True, False, False, False, False]
    known = recognition.assign_attrs(preset="qwen2.5-coder-0.5b")
    dominant = PRESETS["qwen2.5-coder-0.5b"].dominant
    assert list(dominant_languages(known)) == [code in dominant for code in ("en", "fr", "es", "zh", "ja")]


def test_resources_are_published_shares_or_measured_competence_or_the_corpus_s_order(recognition):
    order, said = resource_order(recognition)  # by nats, which the fixture makes grow with the language
    assert order == ["en", "fr", "es", "zh", "ja"] and "measured competence" in said
    turned = recognition.assign(
        neutral_nats=recognition["neutral_nats"][::-1].assign_coords(source=recognition["source"])
    )
    assert resource_order(turned)[0] == ["ja", "zh", "es", "fr", "en"]
    assert list(resource_ranks(turned)) == [4, 3, 2, 1, 0]
    bloom = turned.assign_attrs(preset="bloomz-560m").sel(source=["en", "fr", "es", "zh"])
    order, said = resource_order(bloom)
    shares = PRESETS["bloomz-560m"].shares
    assert order == sorted(order, key=lambda code: -shares[code]) and "published share" in said
    order, said = resource_order(recognition.drop_vars("neutral_nats"))
    assert order == ["en", "fr", "es", "zh", "ja"] and said == "order of the corpus"


def test_competence_is_relative_to_english_and_the_sentences_are_paired(recognition):
    found = competence(recognition)  # every sentence costs twice English's nats in the second language, and so on
    np.testing.assert_allclose(found["nats"], [1, 2, 3, 4, 5])
    np.testing.assert_allclose(found["low"], found["nats"])
    np.testing.assert_allclose(found["high"], found["nats"])
    others = competence(recognition.sel(source=["es", "zh"]))
    assert others.loc["es", "nats"] == 1 and others.loc["zh", "nats"] == pytest.approx(4 / 3)
    assert competence(recognition.drop_vars("neutral_nats")).isna().all().all()


def test_sentences_that_disagree_widen_the_interval_of_competence():
    factors = np.where(np.arange(48) % 2, 1.0, 3.0)
    nats = np.stack([np.full(48, 50.0), 50.0 * factors])
    found = competence(xr.Dataset({"neutral_nats": (("source", "sentence"), nats)}, coords={"source": ["en", "sw"]}))
    half = 1.96 / np.sqrt(48)  # standard deviation of the factors: 1
    assert found.loc["sw", "nats"] == pytest.approx(2.0)
    assert found.loc["sw", "low"] == pytest.approx(2.0 - half, abs=0.06)
    assert found.loc["sw", "high"] == pytest.approx(2.0 + half, abs=0.06)
