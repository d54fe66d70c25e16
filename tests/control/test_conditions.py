import pytest
import torch

from xlv.control.conditions import ablation, addition, instruction, setting_at
from xlv.control.neutral import Neutral, mean_divergence
from xlv.models.decoding import padded_prompts
from xlv.models.steering import activation_addition, relative_dose
from xlv.models.vectors import ConceptVectors, random_vectors

IDS = torch.tensor([[5, 17, 99, 42, 7]])


def vectors(seed=0, origin="one"):
    generator = torch.Generator().manual_seed(seed)
    layers = {k: torch.randn(32, generator=generator) for k in (1, 2, 3)}
    return ConceptVectors(origin, layers, {k: 10.0 * k for k in layers})


def test_a_setting_has_the_dose_asked_for_towards_the_side_asked_for():
    found = setting_at(vectors(), (1, 3), -0.05)
    assert found.strength < 0 and found.dose == 0.05
    chosen = {k: vectors().layers[k] for k in (1, 3)}
    assert relative_dose(chosen, found.strength, vectors().norms) == pytest.approx(0.05)


def test_random_vectors_have_the_norm_of_the_concept_vectors():
    concept = {1: torch.full((16,), 2.0), 3: torch.full((16,), 0.5)}
    noise = random_vectors(concept, seed=4)
    for layer, vector in concept.items():
        assert noise[layer].norm() == pytest.approx(float(vector.norm()), rel=1e-5)
        assert abs(torch.cosine_similarity(noise[layer], vector, dim=0)) < 0.9
    assert torch.equal(noise[1], random_vectors(concept, seed=4)[1])


def test_steerings_are_named_by_content():
    setting, other = setting_at(vectors(), (1, 2), 0.1), setting_at(vectors(), (1, 2), 0.2)
    keys = {
        addition(vectors(), setting).key,
        addition(vectors(), other).key,
        addition(vectors(), setting, noise=0).key,
        addition(vectors(), setting, noise=1).key,
        addition(vectors(1, "two"), setting).key,
        ablation(vectors(), (1, 2)).key,
        ablation(vectors(), (1, 3)).key,
        instruction("Do.").key,
    }
    assert len(keys) == 8
    assert addition(vectors(), setting).key == addition(vectors(), setting_at(vectors(), (1, 2), 0.1)).key


def test_applying_a_steering_acts_as_its_operator_and_leaves_the_model_as_found(tiny):
    model, setting = tiny(), setting_at(vectors(), (1, 2), 0.5)
    before = model.network(input_ids=IDS).logits
    with addition(vectors(), setting).apply(model):
        steered = model.network(input_ids=IDS).logits
    with activation_addition(model, {k: vectors().layers[k] for k in (1, 2)}, setting.strength):
        assert torch.equal(model.network(input_ids=IDS).logits, steered)
    assert torch.equal(model.network(input_ids=IDS).logits, before) and not torch.equal(before, steered)


def test_an_instruction_goes_in_the_system_role_or_in_front_of_the_prompt(tiny):
    chat, raw = tiny(template="chat"), tiny()
    assert chat.prompt("Sing.", "Be kind.").startswith("<|system|>Be kind.<|end|><|user|>Sing.")
    assert raw.prompt("Sing.", "Be kind.") == "Be kind.\n\nSing."
    assert raw.with_template("[{input}]").prompt("Sing.", "Be kind.") == "[Be kind.\n\nSing.]"
    longer, plain = (padded_prompts(chat, ["Sing."], system)[0]["input_ids"] for system in ("Be kind.", None))
    assert longer.shape[1] > plain.shape[1]


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.content if m.role == 'user' }}{% endfor %}",
        "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}{{ messages[0].content }}",
    ],
)
def test_a_template_that_drops_or_refuses_the_system_role_gets_a_prefix(tiny, monkeypatch, template):
    model = tiny(template="chat")
    monkeypatch.setattr(model.tokenizer, "chat_template", template)
    assert not model.has_system_role
    assert model.prompt("Sing.", "Be kind.") == "Be kind.\n\nSing."


def test_side_effects_are_nothing_without_control_and_something_with(tiny):
    model = tiny(template="chat")
    neutral = Neutral(model, ["The river bends twice.", "Salt melts ice."])
    with pytest.raises(RuntimeError, match="read_unsteered"):
        neutral.effects([0])
    neutral.read_unsteered()
    calm = neutral.effects([0, 1])
    assert mean_divergence(calm) == pytest.approx(0, abs=1e-6)
    ids = torch.tensor([neutral.ids[1]])
    logs = model.network(input_ids=ids).logits[0].log_softmax(-1)
    assert calm[1][1] == pytest.approx(-float(logs[:-1].gather(-1, ids[0, 1:, None]).sum()), rel=1e-4)
    with activation_addition(model, {2: torch.ones(32)}, 1.0):
        assert mean_divergence(neutral.effects([0, 1])) > 1e-4
