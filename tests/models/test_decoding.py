import numpy as np
import pytest
import torch

from tests.conftest import ARCHITECTURES
from xlv.models.decoding import ReadPrompts, generate, length_batches, total_nats
from xlv.models.fast import prefilled
from xlv.models.fast.prefilled import Way, padded, path_log, way_for

PROMPTS = ["I kept the promise", "No", "I paid my neighbour for the window"]
ALIKE = [f"I paid my neighbour for the {thing}, and then" for thing in ("window", "very old door", "car")]
OPENINGS = ["I", " cannot help", " can not", " yes, of course I will."]


def log_alone(model, prompt, opening):
    """Summed log-softmax of the opening's tokens behind the prompt's, of one row alone."""
    before, after = model.token_ids([prompt])[0], model.tokenizer(opening, add_special_tokens=False)["input_ids"]
    logs = model.network(input_ids=torch.tensor([before + after])).logits[0].float().log_softmax(-1)
    return sum(float(logs[len(before) - 1 + k, token]) for k, token in enumerate(after))


def completed_alone(model, prompt, tokens):
    """Greedy completion without a KV cache: every prefix anew."""
    ids, end = model.token_ids([prompt])[0], model.tokenizer.eos_token_id
    start = len(ids)
    for _ in range(tokens):
        ids = [*ids, int(model.network(input_ids=torch.tensor([ids])).logits[0, -1].argmax())]
        if ids[-1] == end:
            break
    return model.tokenizer.decode(ids[start:], skip_special_tokens=True)


@pytest.mark.parametrize("prompts", [PROMPTS, ALIKE], ids=["unlike", "alike"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_opening_s_log_probability_is_the_sum_over_its_tokens(tiny, architecture, prompts):
    model = tiny(architecture)
    found = ReadPrompts(model, prompts).opening_logs(OPENINGS)
    wanted = [[log_alone(model, prompt, opening) for prompt in prompts] for opening in OPENINGS]
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_openings_can_be_asked_twice_and_before_completing(tiny):
    model = tiny()
    read = ReadPrompts(model, PROMPTS)
    first = read.opening_logs(OPENINGS)
    np.testing.assert_allclose(read.opening_logs(OPENINGS[::-1]), first[::-1], atol=1e-5)
    assert read.complete(5) == [completed_alone(model, prompt, 5) for prompt in PROMPTS]


def test_openings_do_not_depend_on_how_many_are_read_at_once(tiny, monkeypatch):
    model = tiny()
    whole = ReadPrompts(model, PROMPTS).opening_logs(OPENINGS)
    monkeypatch.setattr(prefilled, "_LOGITS", 1)
    np.testing.assert_allclose(ReadPrompts(model, PROMPTS).opening_logs(OPENINGS), whole, atol=1e-5)


@pytest.mark.parametrize("prompts", [PROMPTS, ALIKE], ids=["unlike", "alike"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "bloom"])
def test_completions_are_those_of_each_prompt_alone(tiny, architecture, prompts):
    model = tiny(architecture)
    assert generate(model, prompts, max_new_tokens=6) == [completed_alone(model, prompt, 6) for prompt in prompts]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "mistral", "bloom"])
def test_a_beginning_that_prompts_share_is_read_once_and_changes_nothing(tiny, architecture, monkeypatch):
    model, read = tiny(architecture), []
    assert way_for(model, 80) is Way.SHARED
    handle = model.blocks[0].register_forward_pre_hook(lambda _m, inputs: read.append(tuple(inputs[0].shape[:2])))
    shared = ReadPrompts(model, ALIKE)
    rows = shared.read.inputs["input_ids"].shape[1]
    beginning = padded(model, model.token_ids(ALIKE))[1]
    assert beginning >= prefilled._PREFIX and read == [(1, beginning), (len(ALIKE), rows - beginning)]
    handle.remove()
    monkeypatch.setattr(prefilled, "_PREFIX", 1000)
    apart = ReadPrompts(model, ALIKE)
    torch.testing.assert_close(shared.read.first, apart.read.first, atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(shared.opening_logs(OPENINGS), apart.opening_logs(OPENINGS), atol=1e-3)
    assert shared.complete(6) == apart.complete(6)


def test_padding_stands_behind_the_shared_beginning_and_prompts_end_together(tiny):
    model = tiny()
    ids = model.token_ids(ALIKE)
    inputs, shared = padded(model, ids)
    width = inputs["input_ids"].shape[1]
    for row, mask, wanted in zip(inputs["input_ids"].tolist(), inputs["attention_mask"].tolist(), ids, strict=True):
        assert [token for token, seen in zip(row, mask, strict=True) if seen] == wanted
        assert row[:shared] == wanted[:shared] and row[-1] == wanted[-1] and width == max(map(len, ids))
        assert mask[shared : shared + width - len(wanted)] == [0] * (width - len(wanted))


def test_equal_prompts_keep_a_token_of_their_own_to_be_read_last(tiny):
    model = tiny()
    assert padded(model, model.token_ids(PROMPTS[:1] * 2))[1] == len(model.token_ids(PROMPTS[:1])[0]) - 1
    one, two = generate(model, ALIKE[:1] * 2, max_new_tokens=4)
    assert one == two == completed_alone(model, ALIKE[0], 4)


def test_batches_hold_prompts_of_like_length_and_completions_keep_their_order(tiny):
    model = tiny()
    prompts = PROMPTS + ALIKE
    parts = length_batches(model, prompts, 2)
    lengths = [len(row) for row in model.token_ids(prompts)]
    assert sorted(sum(parts, [])) == list(range(len(prompts))) and [len(part) for part in parts] == [2, 2, 2]
    assert [lengths[i] for part in parts for i in part] == sorted(lengths)
    whole = generate(model, prompts, max_new_tokens=4)
    assert generate(model, prompts, max_new_tokens=4, batch_size=2) == whole


def test_a_system_text_stands_before_the_prompt(tiny):
    model = tiny(template="chat")
    read = ReadPrompts(model, PROMPTS[:1], "Be kind.")
    wanted = model.token_ids(PROMPTS[:1], "Be kind.")
    assert read.read.inputs["input_ids"].tolist() == wanted != model.token_ids(PROMPTS[:1])


TEXTS = [
    "I paid my neighbour for the window.",
    "I paid my neighbour for nothing at all.",
    "The river bends twice.",
    "Salt melts ice.",
]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nats_are_the_loss_of_hugging_face_times_the_tokens_predicted(tiny, architecture):
    model = tiny(architecture)
    found = total_nats(model, TEXTS)
    for nats, text in zip(found, TEXTS, strict=True):
        ids = torch.tensor(model.token_ids([text]))
        loss = model.network(input_ids=ids, labels=ids).loss
        assert nats == pytest.approx(float(loss) * (ids.shape[1] - 1), rel=1e-4)


def test_nats_do_not_depend_on_the_batch_or_the_template(tiny):
    model = tiny()
    whole = total_nats(model, TEXTS)
    np.testing.assert_allclose(total_nats(model, TEXTS, token_budget=1), whole, rtol=1e-4)
    np.testing.assert_allclose(total_nats(model.with_template("chat"), TEXTS), whole, rtol=1e-5)


def test_of_a_text_of_one_token_nothing_is_predicted(tiny):
    one, other = total_nats(tiny(), ["I", "I paid."])
    assert one == 0 < other


def test_a_path_is_read_at_its_places():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.2, 0.4, 0.4]]))
    assert path_log(logits, [0, 2], [1, 0]) == pytest.approx(np.log(0.25) + np.log(0.2))
