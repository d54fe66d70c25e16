import numpy as np
import pytest
import torch

from xlv.control.effects import Neutral, refusal_scores
from xlv.control.refusal import ANSWER_OPENINGS, REFUSAL_OPENINGS
from xlv.models.decoding import ReadPrompts
from xlv.models.steering import steer

PROMPTS = ["Write a note.", "Explain how a lock works in an old door."]


def brute_force(model, prompt, openings):
    """Log-probability of opening with any of some texts, each read in full behind the prompt."""
    ids, found = model.token_ids([prompt])[0], []
    for opening in openings:
        more = model.tokenizer(opening, add_special_tokens=False)["input_ids"]
        logs = model.network(torch.tensor([ids + more])).logits[0].log_softmax(-1)
        found.append(sum(float(logs[len(ids) - 1 + k, token]) for k, token in enumerate(more)))
    return np.logaddexp.reduce(found)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "bloom"])
def test_the_score_is_the_log_odds_of_the_two_sets_of_openings_steered_or_not(tiny, architecture):
    model = tiny(architecture, template="chat")
    sets = [{*table["fr"], *table["en"]} for table in (REFUSAL_OPENINGS, ANSWER_OPENINGS)]

    def wanted():
        return [np.subtract(*(brute_force(model, prompt, texts) for texts in sets)) for prompt in PROMPTS]

    before = refusal_scores(ReadPrompts(model, PROMPTS), "fr")
    np.testing.assert_allclose(before, wanted(), atol=4e-4)
    with steer(model, {2: torch.linspace(-1, 1, model.d_model)}, 2.0):
        after = refusal_scores(ReadPrompts(model, PROMPTS), "fr")
        np.testing.assert_allclose(after, wanted(), atol=4e-4)
    assert np.abs(after - before).max() > 0.01


def test_a_language_without_openings_is_refused(tiny):
    with pytest.raises(ValueError, match="no refusal openings"):
        refusal_scores(ReadPrompts(tiny(), PROMPTS), "xx")


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "bloom"])
def test_scores_do_not_depend_on_the_batch(tiny, architecture):
    model = tiny(architecture, template="chat")
    alone = [refusal_scores(ReadPrompts(model, [prompt]), "en")[0] for prompt in PROMPTS]
    np.testing.assert_allclose(refusal_scores(ReadPrompts(model, PROMPTS), "en"), alone, atol=2e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "bloom"])
def test_completions_behind_scored_prompts_are_those_of_prompts_just_read(tiny, architecture):
    model = tiny(architecture, template="chat")
    scored = ReadPrompts(model, PROMPTS)
    refusal_scores(scored, "en")
    assert scored.complete(6) == ReadPrompts(model, PROMPTS).complete(6)


def test_side_effects_are_nothing_without_control_and_something_with(tiny):
    model = tiny(template="chat")
    neutral = Neutral(model, ["The river bends twice.", "Salt melts ice."])
    with pytest.raises(RuntimeError, match="read_unsteered"):
        neutral.effects([0])
    neutral.read_unsteered()
    calm = neutral.effects([0, 1])
    assert [divergence for divergence, _, _ in calm] == pytest.approx([0, 0], abs=1e-5)
    ids = torch.tensor([neutral.ids[1]])
    logs = model.network(input_ids=ids).logits[0].log_softmax(-1)
    assert calm[1][1] == pytest.approx(-float(logs[:-1].gather(-1, ids[0, 1:, None]).sum()), rel=1e-4)
    with steer(model, {2: torch.ones(32)}, 1.0):
        assert all(divergence / tokens > 1e-4 for divergence, _, tokens in neutral.effects([0, 1]))
