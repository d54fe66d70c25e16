import numpy as np
import pytest
import xarray as xr

from xlv.models.presets import PRESETS
from xlv.questions.common import (
    apart,
    competence,
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


def test_control_concepts_are_no_values_unless_there_is_nothing_else(recognition):
    assert value_concepts(recognition) == ["morality", "fairness"]
    assert value_concepts(recognition.sel(concept=["tense"])) == ["tense"]


def test_an_estimate_is_the_mean_over_values_of_the_pairs_that_were_tested(recognition):
    hits = recognition["correct"].sel(protocol="paper")  # most pairs are not tested
    found = estimate(recognition, hits)
    expected = hits.sel(concept=["morality", "fairness"]).mean("pair").mean("concept")
    np.testing.assert_allclose(found.value, expected)
    assert found.samples.shape == (400, 5, 5)


def test_estimates_of_one_dataset_draw_the_same_pairs(recognition):
    hits = recognition["correct"].sel(protocol="cv")
    one, two = estimate(recognition, hits), estimate(recognition, 1 - hits)
    np.testing.assert_allclose(one.samples + two.samples, 1)
    reordered = estimate(recognition, hits.transpose("pair", "target", "concept", "source"))
    np.testing.assert_allclose(reordered.value, one.value.T)


def test_each_concept_s_pairs_are_drawn_by_its_place(recognition):
    """The same hits in two concepts: drawn alike, their mean would vary as much as one of them."""
    hits = recognition["embedded"].copy(data=np.broadcast_to(np.arange(12) // 6, (3, 5, 12)).astype(float))
    both, one = estimate(recognition, hits), estimate(recognition.sel(concept=["morality"]), hits[:1])
    assert both.samples.std() < 0.85 * one.samples.std()
    np.testing.assert_array_equal(
        both.samples, estimate(recognition.sel(concept=["morality", "fairness"]), hits[:2]).samples
    )


def test_resamples_of_an_estimate_keep_groups_whole(recognition):
    """Two pairs per group, one always right and the other always wrong: no resample differs."""
    hits = recognition["embedded"].copy(data=np.broadcast_to(np.arange(12) % 2, (3, 5, 12)).astype(float))
    np.testing.assert_allclose(estimate(recognition, hits).samples, 0.5)


def test_pairs_of_a_concept_that_has_fewer_are_not_counted(recognition):
    groups, hits = recognition["group"].copy(), recognition["embedded"].copy(data=np.ones((3, 5, 12)))
    groups[1, 8:] = np.nan
    hits[1, :, 8:] = 0.0
    np.testing.assert_allclose(estimate(recognition.assign(group=groups), hits).value, 1.0)


def test_accuracy_under_cv_comes_with_the_covariance_of_the_jackknife_or_the_resamples_of_earlier_versions(recognition):
    cv, paper = (value_accuracy(recognition, protocol) for protocol in ("cv", "paper"))
    np.testing.assert_allclose(cv.value, recognition["correct"].sel(protocol="cv")[:2].mean(("pair", "concept")))
    rows = recognition["replicate"].sel(cohort="all")[:2].dropna("block").values  # [concept, block, source, target]
    deviation = rows - rows.mean(axis=1, keepdims=True)
    expected = np.einsum("cbst,cbuv->stuv", deviation, deviation) * (1 - 1 / rows.shape[1]) / 4
    drawn = (cv.samples - cv.value).reshape(400, -1)
    np.testing.assert_allclose(np.cov(drawn.T).reshape(expected.shape), expected, atol=0.1 * expected.max())
    earlier = recognition.drop_vars("replicate").assign(resampled=(("resample", "source", "target"), cv.samples))
    np.testing.assert_array_equal(value_accuracy(earlier).samples, cv.samples)
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
