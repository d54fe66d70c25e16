import numpy as np
import pytest
import torch

from xlv.control.refusal import ANSWER_OPENINGS, REFUSAL_OPENINGS
from xlv.control.score import refusal_scores
from xlv.models.decoding import ReadPrompts
from xlv.models.steering import activation_addition

PROMPTS = ["Write a note.", "Explain how a lock works in an old door."]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "bloom"])
def test_opening_logs_equal_the_full_forward_pass(tiny, architecture):
    model, openings = tiny(architecture, template="chat"), ["I'm sorry, but", "To", "Here is"]

    def brute_force(prompt, opening):
        ids, more = model.token_ids([prompt])[0], model.tokenizer(opening, add_special_tokens=False)["input_ids"]
        logp = model.network(torch.tensor([ids + more])).logits[0].log_softmax(-1)
        return sum(float(logp[len(ids) - 1 + k, token]) for k, token in enumerate(more))

    expected = [[brute_force(prompt, opening) for prompt in PROMPTS] for opening in openings]
    np.testing.assert_allclose(ReadPrompts(model, PROMPTS).opening_logs(openings), expected, atol=2e-4)
    with activation_addition(model, {2: torch.linspace(-1, 1, model.d_model)}, 2.0):
        steered = [[brute_force(prompt, opening) for prompt in PROMPTS] for opening in openings]
        np.testing.assert_allclose(ReadPrompts(model, PROMPTS).opening_logs(openings), steered, atol=2e-4)
    assert np.abs(np.subtract(steered, expected)).max() > 0.01


def test_the_score_is_the_log_odds_of_the_two_sets(tiny):
    model = tiny(template="chat")
    read = ReadPrompts(model, PROMPTS)
    sets = ([*table["fr"], *table["en"]] for table in (REFUSAL_OPENINGS, ANSWER_OPENINGS))
    odds = [np.logaddexp.reduce(read.opening_logs(texts)) for texts in sets]
    np.testing.assert_allclose(refusal_scores(model, PROMPTS, "fr"), odds[0] - odds[1], atol=1e-4)
    with pytest.raises(ValueError, match="no refusal openings"):
        refusal_scores(model, ["x"], "xx")


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "bloom"])
def test_scores_do_not_depend_on_the_batch(tiny, architecture):
    model = tiny(architecture, template="chat")
    one = refusal_scores(model, PROMPTS, "en", batch_size=1)
    np.testing.assert_allclose(refusal_scores(model, PROMPTS, "en"), one, atol=2e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "bloom"])
def test_what_prompts_begin_with_is_read_once_and_changes_nothing(tiny, architecture):
    model = tiny(architecture)
    prompts = [f"Explain to me in a few plain words how {thing}." for thing in ("a lock works", "to bake")]
    seen = []
    handle = model.blocks[0].register_forward_pre_hook(lambda _m, inputs: seen.append(tuple(inputs[0].shape[:2])))
    read = ReadPrompts(model, prompts)
    handle.remove()
    (one, shared), (both, rest) = seen
    assert (one, both) == (1, 2) and shared >= 8 and shared + rest == max(map(len, model.token_ids(prompts)))
    alone = [ReadPrompts(model, [prompt]) for prompt in prompts]
    np.testing.assert_allclose(read.first, torch.cat([other.first for other in alone]), atol=2e-4)
    assert read.complete(6) == [text for other in alone for text in other.complete(6)]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "bloom"])
def test_completions_behind_scored_prompts_are_those_of_prompts_just_read(tiny, architecture):
    model = tiny(architecture, template="chat")
    scored = ReadPrompts(model, PROMPTS)
    scored.opening_logs(["I'm sorry, but", "To", "Here is"])
    assert scored.complete(6) == ReadPrompts(model, PROMPTS).complete(6)
