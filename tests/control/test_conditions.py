from dataclasses import replace

import pytest
import torch

from tests.control.measured import SETTINGS
from xlv.control.conditions import (
    SYSTEM_PROMPTS,
    ablation,
    addition,
    further_conditions,
    main_conditions,
    rival_conditions,
    setting_at,
)
from xlv.control.search import pooled_vectors
from xlv.models.steering import layer_ablation, relative_dose, steer
from xlv.models.vectors import ConceptVectors
from xlv.schema import ADDITION, BASELINE, DIRECTIONS, FOLLOWING, METHODS, OWN, POOLED, RANDOM, REFUSING, SYSTEM

IDS = torch.tensor([[5, 17, 99, 42, 7]])


def vectors(seed=0, texts="one", concept="harmfulness", language="en"):
    generator = torch.Generator().manual_seed(seed)
    layers = {k: torch.randn(32, generator=generator) for k in (1, 2, 3, 4)}
    origin = {"concept": concept, "language": language, "texts": texts}
    return ConceptVectors(layers, {k: 10.0 * k for k in layers}, origin)


def find(concept, code):
    return vectors(len(concept) + ord(code[0]), concept + code, concept, code)


def chosen(dose=0.1):
    found = find("harmfulness", "en")
    return {direction: setting_at(found, (1, 2), dose) for direction in DIRECTIONS}


SETTLED = {"en": chosen(), "fr": chosen(0.2)}


@pytest.fixture
def conditions():
    main = main_conditions(find("harmfulness", "en"), SETTLED["en"])
    return [*main, *rival_conditions(find, SETTINGS, SETTLED["en"]), *further_conditions(find, SETTINGS, SETTLED)]


def test_a_setting_has_the_dose_asked_for_towards_the_side_asked_for():
    found = setting_at(vectors(), (1, 3), -0.05)
    assert found.strength < 0 and found.dose == 0.05
    assert relative_dose(vectors().at((1, 3)), found.strength, vectors().norms) == pytest.approx(0.05)


def test_steerings_are_named_by_content(conditions):
    setting, other = setting_at(vectors(), (1, 2), 0.1), setting_at(vectors(), (1, 2), 0.2)
    keys = {
        addition(vectors(), setting).key,
        addition(vectors(), other).key,
        addition(vectors(), setting, noise=0).key,
        addition(vectors(), setting, noise=1).key,
        addition(vectors(1, "two"), setting).key,
        ablation(vectors(), (1, 2)).key,
        ablation(vectors(), (1, 3)).key,
        *(condition.steering("en").key for condition in conditions if condition.method == SYSTEM),
    }
    assert len(keys) == 9
    assert addition(vectors(), setting).key == addition(vectors(), setting_at(vectors(), (1, 2), 0.1)).key


def test_applying_a_steering_acts_as_its_operator_and_leaves_the_model_as_found(tiny):
    model, setting = tiny(), setting_at(vectors(), (1, 2), 0.5)
    before = model.network(input_ids=IDS).logits
    operators = {
        addition(vectors(), setting): steer(model, vectors().at((1, 2)), setting.strength),
        ablation(vectors(), (1, 2)): layer_ablation(model, vectors().at((1, 2))),
    }
    for steering, operator in operators.items():
        with steering.apply(model):
            steered = model.network(input_ids=IDS).logits
        with operator:
            assert torch.equal(model.network(input_ids=IDS).logits, steered)
        assert torch.equal(model.network(input_ids=IDS).logits, before) and not torch.equal(before, steered)


def test_conditions_have_names_of_their_own_and_coordinates_that_say_what_is_done(conditions):
    names = [condition.name for condition in conditions]
    assert names[:3] == [BASELINE, REFUSING, FOLLOWING] and len(set(names)) == len(names)
    places = {
        (c.method, c.direction, c.source, c.concept): c.name for c in conditions if c.method != RANDOM and c.direction
    }
    assert places[ADDITION, REFUSING, "fr", "harmfulness"] == f"French vector ({REFUSING})"
    assert places[ADDITION, FOLLOWING, OWN, "harmfulness"] == f"own vector ({FOLLOWING})"
    assert places[ADDITION, REFUSING, "en", "sentiment"] == f"sentiment vector ({REFUSING})"
    assert len(places) == len([c for c in conditions if c.method != RANDOM]) - 1
    assert {c.method for c in conditions} == set(METHODS) and {c.direction for c in conditions} == {"", *DIRECTIONS}
    assert [(c.draw, c.generated) for c in conditions if c.method == RANDOM] == [(0, True)] * 2 + [(1, False)] * 2
    assert all(c.draw == -1 for c in conditions if c.method != RANDOM)


@pytest.mark.parametrize(("asked", "found"), [("sentiment", "sentiment"), ("politeness", "truthfulness"), ("", None)])
def test_another_concept_is_the_one_asked_for_or_else_truthfulness(asked, found):
    settings = replace(SETTINGS, compare=replace(SETTINGS.compare, contrast=asked))
    concepts = {condition.concept for condition in rival_conditions(find, settings, SETTLED["en"])}
    assert concepts - {"", "harmfulness"} == ({found} if found else set())


def test_own_and_other_vectors_act_with_the_dose_of_the_source_in_its_norms(conditions):
    by_name = {condition.name: condition for condition in conditions}
    own, main = by_name[f"own vector ({REFUSING})"], by_name[REFUSING]
    towards = setting_at(find("harmfulness", "en"), (1, 2), -0.1)
    assert own.steering("en").key == addition(find("harmfulness", "en"), towards).key
    assert own.steering("sw").key != own.steering("en").key and main.steering("sw") is main.steering("en")


def test_a_system_prompt_steers_by_text_alone(conditions):
    told = {c.direction: c.steering("sw") for c in conditions if c.method == SYSTEM}
    assert {direction: steering.system for direction, steering in told.items()} == SYSTEM_PROMPTS


def test_pooled_vectors_are_the_mean_with_doses_of_the_main_source():
    several = [find("harmfulness", code) for code in ("en", "fr")]
    pooled = pooled_vectors(several, several[0].norms)
    assert torch.allclose(pooled.layers[2], (several[0].layers[2] + several[1].layers[2]) / 2)
    assert pooled.origin["language"] == POOLED and pooled.norms == several[0].norms
    assert len({one.key for one in (pooled, pooled_vectors(several[:1], {}), *several)}) == 4
