"""Competence: nats relative to English, its interval over parallel sentences."""

import numpy as np
import pytest
import xarray as xr

from xlv.questions.common import competence

ENGLISH = np.random.default_rng(0).uniform(40, 80, size=48)


def results(**nats: np.ndarray) -> xr.Dataset:
    rows = np.stack(list(nats.values()))
    return xr.Dataset({"neutral_nats": (("source", "sentence"), rows)}, coords={"source": list(nats)})


def test_what_each_sentence_costs_twice_has_competence_two_without_doubt():
    table = competence(results(en=ENGLISH, sw=2 * ENGLISH))
    np.testing.assert_allclose(table.loc["en"], 1.0)
    np.testing.assert_allclose(table.loc["sw"], 2.0)


def test_sentences_that_disagree_widen_the_interval():
    factors = np.where(np.arange(48) % 2, 1.0, 3.0)
    row = competence(results(en=np.full(48, 50.0), sw=50.0 * factors)).loc["sw"]
    half = 1.96 / np.sqrt(48)  # standard deviation of the factors: 1
    assert row["nats"] == pytest.approx(2.0)
    assert row["low"] == pytest.approx(2.0 - half, abs=0.06) and row["high"] == pytest.approx(2.0 + half, abs=0.06)


def test_without_english_the_reference_is_the_language_of_fewest_nats():
    table = competence(results(fr=3 * ENGLISH, zh=1.5 * ENGLISH))
    np.testing.assert_allclose(table["nats"], [2.0, 1.0])


def test_without_neutral_sentences_nothing_is_said():
    assert competence(xr.Dataset(coords={"source": ["en", "fr"]})).isna().all(axis=None)
