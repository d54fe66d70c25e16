"""Side effects on other values: measured as declared, once, and with the sign that they must have."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.control.measured import SETTINGS
from xlv.control.conditions import Setting
from xlv.control.leakage import leakage
from xlv.control.measure import Bench, Journal
from xlv.corpus.concepts import VALUES
from xlv.corpus.pairs import full_texts, load_pairs
from xlv.models.activations import extract
from xlv.models.decoding import total_nats
from xlv.models.vectors import concept_vectors
from xlv.questions.control.scores import choice_table, leakage_table
from xlv.schema import BASELINE, DIRECTIONS, FOLLOWING, REFUSING, SCHEMA

CHOSEN = {REFUSING: Setting((2,), -9.0, 0.3), FOLLOWING: Setting((1, 2), 9.0, 0.2)}


@pytest.fixture(scope="module")
def measured(tiny, tmp_path_factory):
    """Side effects on a tiny model, how they were found, and how many passes finding them anew took."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(tmp_path_factory.mktemp("cache")))
        model, path, passes = tiny(template="chat"), tmp_path_factory.mktemp("journal") / "j.jsonl", []

        def find(concept, code):
            return concept_vectors(model, concept, code, pairs=4, cohort="first")

        found = leakage(Bench(model, 4, journal=Journal(path)), SETTINGS, find, CHOSEN)
        model.blocks[0].register_forward_hook(lambda *_given: passes.append(1))
        again = leakage(Bench(model, 4, journal=Journal(path)), SETTINGS, find, CHOSEN)
        model.blocks[0]._forward_hooks.clear()
        yield model, find, found.assign_attrs(concept="harmfulness"), again, len(passes)


def test_it_is_what_the_schema_declares_of_every_value(measured):
    found = measured[2]
    for name in ("leakage", "choice"):
        assert found[name].dims == SCHEMA["control"][name].dims and found[name].notnull().all()
    assert list(found["affected"].values) == list(found["leaking"].values) == list(VALUES)
    assert list(found["chosen_under"].values) == [BASELINE, *DIRECTIONS] and found.sizes["choice_pair"] == 3


def test_a_second_run_reads_nothing_again(measured):
    assert measured[3].identical(measured[2].drop_attrs()) and measured[4] == 0


def test_leakage_is_the_shift_behind_the_layers_in_deviations_over_sentences(measured):
    model, find, found, *_ = measured
    from xlv.corpus.pairs import load_neutral

    sentences = load_neutral("en")[:3]
    leaking, affected = find("fairness", "en"), find("toxicity", "en")
    dose, norms = CHOSEN[REFUSING].dose, find("harmfulness", "en").norms
    strength = -dose * norms[2] / float(leaking.layers[2].norm())
    before = extract(model, sentences)[:, 2] @ affected.layers[3]
    with leaking.apply(model, strength, [2]):
        after = extract(model, sentences)[:, 2] @ affected.layers[3]
    wanted = (after - before).mean() / before.std()
    value = found["leakage"].sel(towards=REFUSING, leaking="fairness", affected="toxicity")
    assert float(value) == pytest.approx(float(wanted), rel=1e-3)


def test_a_value_s_own_projection_follows_the_sign_of_what_is_added(measured):
    own = [measured[2]["leakage"].sel(leaking=name, affected=name) for name in VALUES]
    assert all(float(one.sel(towards=FOLLOWING)) > 0 > float(one.sel(towards=REFUSING)) for one in own)


def test_choices_are_those_of_the_likelihood_and_move_with_control(measured):
    model, _, found, *_ = measured
    positive, negative = full_texts(load_pairs(["fairness"], ["en"], pairs=3, cohort="first"))
    wanted = total_nats(model, positive) < total_nats(model, negative)
    np.testing.assert_array_equal(found["choice"].sel(affected="fairness", chosen_under=BASELINE), wanted)


def test_the_tables_say_what_was_stored(measured):
    found = measured[2]
    table = leakage_table(found)
    place = (FOLLOWING, "fairness"), "toxicity"
    assert table.loc[place] == found["leakage"].sel(towards=FOLLOWING, leaking="fairness", affected="toxicity")
    choices = choice_table(found)
    assert list(choices.index) == [BASELINE, *DIRECTIONS] and (choices["pairs"] == 3 * 6).all()
    assert choices.loc[BASELINE, ["change", "low", "high"]].tolist() == [0, 0, 0]
    others = found["choice"].drop_sel(affected="harmfulness").mean(("affected", "choice_pair"))
    np.testing.assert_allclose(choices["accuracy"], others)
    assert (choices["low"] <= choices["change"]).all() and (choices["change"] <= choices["high"]).all()


def test_a_corpus_folder_counts_its_own_concepts(tiny, tmp_path):
    from tests.control.planted import corpus, planted

    corpus(tmp_path)
    model, settings = planted(1.0), replace(SETTINGS, data=str(tmp_path))

    def find(concept, code):
        return concept_vectors(model, concept, code, pairs=4, cohort="first", data=tmp_path)

    found = leakage(Bench(model, 2), settings, find, {d: replace(s, layers=(2,)) for d, s in CHOSEN.items()})
    assert (
        list(found["affected"].values) == ["harmfulness"]
        and torch.isfinite(torch.tensor(found["leakage"].values)).all()
    )
