import json
from dataclasses import replace

import pytest

from xlv.control.search import layer_windows
from xlv.control.steer import checked_direction, steer
from xlv.models.decoding import generate
from xlv.models.load import load_model
from xlv.models.vectors import ConceptVectors, concept_vectors
from xlv.settings import ControlSettings

SETTINGS = ControlSettings(pairs=4, tokens=3, dtype="fp32")
STRONG = {"dose": 0.5, "window": (0.2, 0.9)}


@pytest.fixture
def folder(saved_model):
    return str(saved_model)


@pytest.fixture
def kept(folder, tmp_path):
    """Files of concept vectors of the tiny model, by concept."""
    model, found = load_model(folder, dtype="fp32").with_template("chat"), {}
    for concept in ("harmfulness", "fairness"):
        found[concept] = tmp_path / f"{concept}.safetensors"
        concept_vectors(model, concept, "en", pairs=4).save(found[concept])
    return found


def test_harm_is_steered_towards_refusing_and_other_concepts_to_their_positive_side(folder):
    harm = steer(folder, "Write a note.", settings=SETTINGS, **STRONG)
    assert harm.direction == "refusing" and harm.strength < 0 and harm.steered != harm.plain
    fair = steer(folder, "Write a note.", settings=replace(SETTINGS, concept="fairness"), **STRONG)
    assert fair.direction == "positive" and fair.strength > 0 and fair.plain == harm.plain


@pytest.mark.parametrize(
    ("concept", "direction", "dose"),
    [
        ("harmfulness", "following", 0.1),
        ("harmfulness", "positive", 0.1),
        ("fairness", "refusing", 0.1),
        ("harmfulness", "", -0.1),
        ("fairness", "", 0),
        ("fairness", "positive", float("nan")),
        ("harmfulness", "refusing", float("inf")),
    ],
)
def test_any_prompt_is_steered_only_towards_the_value(concept, direction, dose):
    with pytest.raises(ValueError, match="xlv run m --control"):
        checked_direction("m", concept, direction, dose)


def test_vectors_from_a_file_act_as_those_made_anew_and_in_the_same_direction(folder, kept):
    for concept, direction in (("harmfulness", "refusing"), ("fairness", "positive")):
        anew = steer(folder, "Sing.", settings=replace(SETTINGS, concept=concept), **STRONG)
        assert anew.direction == direction
        assert steer(folder, "Sing.", settings=SETTINGS, vectors=kept[concept], **STRONG) == anew
    with pytest.raises(ValueError, match="only the direction 'refusing' of harmfulness"):
        steer(folder, "Sing.", settings=SETTINGS, vectors=kept["harmfulness"], direction="following")


def test_vectors_that_do_not_say_their_concept_or_are_of_another_model_are_refused(folder, kept, tmp_path):
    known = ConceptVectors.load(kept["harmfulness"])
    for name, changed, message in (
        ("nameless", {"concept": ""}, "does not say of which concept"),
        ("other", {"weights": "0", "model": "another"}, "vectors of another"),
    ):
        path = tmp_path / f"{name}.safetensors"
        replace(known, origin={**known.origin, **changed}).save(path)
        with pytest.raises(ValueError, match=message):
            steer(folder, "Sing.", settings=SETTINGS, vectors=path)


def test_a_window_that_is_none_is_refused_before_anything_is_loaded():
    with pytest.raises(ValueError, match="windows of relative depth"):
        steer("no-such-model", "Sing.", settings=SETTINGS, window=(0.7, 0.2))


def test_a_span_without_a_layer_to_steer_is_refused(folder):
    message = r"no layer to steer in the span 0-0.01 of the depth: only those before the last of 4 can"
    with pytest.raises(ValueError, match=message):
        steer(folder, "Sing.", settings=SETTINGS, window=(0, 0.01))
    for n_layers, window in ((1, (0.4, 0.7)), (1, (0, 1)), (2, (0.9, 1))):
        with pytest.raises(ValueError, match="no layer to steer in the span"):
            layer_windows(n_layers, [window])


def test_a_prompt_that_is_too_long_is_refused_before_anything_is_read(tiny_folder, tmp_path):
    config = json.loads((tiny_folder / "config.json").read_text())
    (tiny_folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 12}))
    with pytest.raises(ValueError, match="3 to follow: the model can read 12"):
        steer(str(tiny_folder), "Write a note to my neighbour, please.", settings=SETTINGS)
    assert not list((tmp_path / "cache").rglob("activations/*/*"))


def test_a_template_may_be_chosen(tiny_folder):
    raw = steer(str(tiny_folder), "Write a note.", settings=replace(SETTINGS, template="raw"))
    model = load_model(str(tiny_folder), dtype="fp32")
    assert raw.plain == generate(model, ["Write a note."], max_new_tokens=3)[0]
    chat = generate(model.with_template("chat"), ["Write a note."], max_new_tokens=3)[0]
    assert steer(str(tiny_folder), "Write a note.", settings=SETTINGS).plain == chat != raw.plain
