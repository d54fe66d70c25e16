from contextlib import contextmanager

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import ARCHITECTURES
from xlv.models.activations import cached_activations, extract, read_shard
from xlv.models.likelihood import total_nats
from xlv.models.weights import ModelError
from xlv.statistics.threads import side_by_side

TEXTS = [
    "I kept the promise.",
    "No.",
    "I paid my neighbour for the window that I broke yesterday evening.",
    "Yes, I did.",
]
ALIKE = [
    "I paid my neighbour for the window.",
    "I paid my neighbour for nothing at all.",
    "I paid my neighbour",
    "You paid me.",
]


@contextmanager
def tokens_read(model):
    """A list that grows by the number of tokens, padding included, of every forward pass."""
    seen = []
    handle = model.blocks[0].register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0].shape[:2].numel()))
    yield seen
    handle.remove()


def reference(model, text):
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    hidden = model.network(input_ids=ids, output_hidden_states=True).hidden_states
    return torch.stack([state[0, -1] for state in hidden[1:]])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_output_hidden_states_on_every_layer(tiny, architecture):
    model = tiny(architecture)
    states = extract(model, TEXTS)
    assert states.shape == (len(TEXTS), 4, 32)
    for row, text in zip(states, TEXTS, strict=True):
        torch.testing.assert_close(row, reference(model, text), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("budget", [1, 20, 10_000])
def test_result_does_not_depend_on_the_batch(tiny, budget):
    model = tiny()
    torch.testing.assert_close(extract(model, TEXTS, token_budget=budget), extract(model, TEXTS), atol=1e-5, rtol=1e-4)


def test_repeated_texts_run_once_and_come_back_in_order(tiny):
    model = tiny()
    extract(model, TEXTS)
    with tokens_read(model) as seen:
        extract(model, TEXTS[:2])
        once = sum(seen)
        states = extract(model, [TEXTS[0], TEXTS[1], TEXTS[0]])
    assert sum(seen) == 2 * once
    assert torch.equal(states[0], states[2]) and not torch.equal(states[0], states[1])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_texts_that_begin_alike_give_the_states_they_give_alone(tiny, architecture):
    model = tiny(architecture)
    for row, text in zip(extract(model, ALIKE), ALIKE, strict=True):
        torch.testing.assert_close(row, reference(model, text), atol=2e-5, rtol=1e-4)


def test_what_texts_begin_with_is_computed_once(tiny):
    model = tiny()
    extract(model, TEXTS)
    with tokens_read(model) as seen:
        extract(model, ALIKE[:2])
    lengths = [len(row) for row in model.token_ids(ALIKE[:2])]
    assert max(lengths) < sum(seen) < sum(lengths) - 4


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "bloom", "falcon", "mixtral"])
def test_the_last_mlp_sees_no_token_that_nothing_is_read_from(tiny, architecture):
    model, seen = tiny(architecture), []
    handle = model.blocks[-1].mlp.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0].shape[:2].numel()))
    extract(model, TEXTS)
    handle.remove()
    assert sum(seen) == len(TEXTS)
    assert not model.blocks[-1].mlp._forward_pre_hooks and not model.blocks[-1].mlp._forward_hooks


def test_the_vocabulary_head_is_never_computed(tiny):
    model = tiny()
    handle = model.network.get_output_embeddings().register_forward_hook(lambda *_: pytest.fail("head ran"))
    extract(model, TEXTS)
    handle.remove()


def test_hooks_are_removed_even_after_an_error(tiny):
    model = tiny()
    with pytest.raises(ValueError, match="has no tokens"):
        extract(model, ["fine", ""])
    assert all(not block._forward_hooks for block in model.blocks)


def small_memory(model, tokens, error):
    """Let the model fail as if memory ran out on batches of more than so many padded tokens; returns what it ran."""
    ran = []

    def check(_module, _arguments, keywords):
        ran.append(keywords["input_ids"].shape)
        if keywords["input_ids"].numel() > tokens:
            raise error

    return ran, model.network.base_model.register_forward_pre_hook(check, with_kwargs=True)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=["cuda", "cpu"],
)
@pytest.mark.parametrize("read", [extract, total_nats])
def test_batches_halve_when_memory_runs_out_and_the_result_is_the_same(tiny, read, error):
    model = tiny()
    whole = torch.as_tensor(read(model, TEXTS * 3 + ["Two."]))
    ran, handle = small_memory(model, 40, error)
    halved = torch.as_tensor(read(model, TEXTS * 3 + ["Two."]))
    handle.remove()
    torch.testing.assert_close(halved, whole, atol=1e-4, rtol=1e-4)
    failed = [shape.numel() for shape in ran if shape.numel() > 40]
    assert failed and len(failed) < 5 and ran[-1].numel() <= 40


def test_a_text_that_never_fits_and_other_errors_are_not_tried_again(tiny):
    model = tiny()
    ran, handle = small_memory(model, 3, torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(ModelError, match="no memory left for a single text of .* --device cpu"):
        extract(model, TEXTS)
    handle.remove()
    ran, handle = small_memory(model, 0, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        extract(model, TEXTS)
    handle.remove()
    assert len(ran) <= side_by_side()  # no more than had begun


def test_cached_shards_are_read_back_and_nothing_is_computed_twice(tiny, monkeypatch):
    model = tiny()
    texts = {("morality", "en"): TEXTS[:2], ("morality", "fr"): TEXTS[2:]}
    first = cached_activations(model, texts)
    np.testing.assert_allclose(read_shard(first["morality", "en"]), extract(model, TEXTS[:2]).numpy(), atol=1e-6)
    monkeypatch.setattr("xlv.models.activations.extract", lambda *_: pytest.fail("computed again"))
    assert cached_activations(model, texts) == first


def test_a_damaged_shard_is_computed_again(tiny):
    model = tiny()
    path = cached_activations(model, {("c", "en"): TEXTS})["c", "en"]
    good = load_file(path)["states"].clone()
    path.write_bytes(path.read_bytes()[:100])
    assert read_shard(path) is None
    cached_activations(model, {("c", "en"): TEXTS})
    assert torch.equal(load_file(path)["states"], good)


def test_an_interrupt_keeps_the_languages_already_read(tiny, monkeypatch):
    model = tiny()
    texts = {("c", "en"): TEXTS[:2], ("c", "fr"): TEXTS[2:]}

    def interrupt(_what, done, _total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_activations(model, texts, progress=interrupt)
    calls = []
    original = extract
    monkeypatch.setattr("xlv.models.activations.extract", lambda m, t: calls.append(t) or original(m, t))
    cached_activations(model, texts)
    assert calls == [TEXTS[2:]]


def test_template_and_dtype_change_the_fingerprint(tiny):
    prints = {tiny().fingerprint, tiny(dtype="bf16").fingerprint, tiny(template="chat").fingerprint}
    assert len(prints) == 3
