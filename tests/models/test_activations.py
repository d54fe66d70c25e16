from contextlib import contextmanager

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import ARCHITECTURES
from xlv import cache
from xlv.models import activations
from xlv.models.activations import cached_activations, concept_states, extract, layer_reader, read_fast, read_shard

TEXTS = [
    "I kept the promise.",
    "No.",
    "I paid my neighbour for the window that I broke yesterday evening.",
    "Yes, I did.",
]


def reference(model, text):
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    hidden = model.network(input_ids=ids, output_hidden_states=True).hidden_states
    return torch.stack([state[0, -1] for state in hidden[1:]])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_plain_states_are_output_hidden_states_to_the_letter_and_fast_ones_up_to_rounding(tiny, architecture):
    model = tiny(architecture)
    wanted = torch.stack([reference(model, text) for text in TEXTS])
    assert wanted.shape == (len(TEXTS), 4, 32)
    assert torch.equal(extract(model, TEXTS, fast=False), wanted)
    torch.testing.assert_close(extract(model, TEXTS), wanted, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("fast", [True, False])
def test_repeated_texts_run_once_and_come_back_in_order(tiny, fast, monkeypatch):
    model, read = tiny(), []
    name = "read_fast" if fast else "read_plainly"
    original = getattr(activations, name)
    monkeypatch.setattr(
        activations, name, lambda m, texts, *given: read.append(list(texts)) or original(m, texts, *given)
    )
    states = extract(model, [TEXTS[0], TEXTS[1], TEXTS[0]], fast=fast)
    assert read == [TEXTS[:2]]
    assert torch.equal(states[0], states[2]) and not torch.equal(states[0], states[1])


@pytest.mark.parametrize("fast", [True, False])
def test_states_are_of_the_prompt_under_the_template_in_the_model_s_dtype(tiny, fast):
    model = tiny(dtype="bf16", template="You are asked: {input}")
    states = extract(model, TEXTS[:1], fast=fast)
    assert states.dtype == torch.bfloat16
    raw = model.with_template("raw")
    assert torch.equal(states, extract(raw, [f"You are asked: {TEXTS[0]}"], fast=fast))


@pytest.mark.parametrize("fast", [True, False])
def test_a_text_without_tokens_is_refused(tiny, fast):
    with pytest.raises(ValueError, match="the text '' has no tokens"):
        extract(tiny(), ["fine", ""], fast=fast)


def test_cached_shards_are_read_back_and_nothing_is_computed_twice(tiny, monkeypatch):
    model = tiny()
    texts = {("morality", "en"): TEXTS[:2], ("morality", "fr"): TEXTS[2:]}
    first = cached_activations(model, texts)
    np.testing.assert_allclose(read_shard(first["morality", "en"]), extract(model, TEXTS[:2]).numpy(), atol=1e-6)
    monkeypatch.setattr(activations, "extract_parts", lambda *_: pytest.fail("computed again"))
    assert cached_activations(model, texts) == first


def test_states_of_another_extractor_model_or_text_have_shards_of_their_own(tiny, monkeypatch):
    texts = {("c", "en"): TEXTS}
    known = cached_activations(tiny(), texts)["c", "en"]
    others = [
        cached_activations(tiny(template="chat"), texts)["c", "en"],
        cached_activations(tiny(), {("c", "en"): TEXTS[::-1]})["c", "en"],
    ]
    monkeypatch.setattr(activations, "EXTRACTOR", cache.EXTRACTOR + 1)
    others.append(cached_activations(tiny(), texts)["c", "en"])
    assert len({known, *others}) == 4


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
    original = activations.extract_parts
    monkeypatch.setattr(activations, "extract_parts", lambda m, parts: calls.append(parts) or original(m, parts))
    cached_activations(model, texts)
    assert calls == [{("c", "fr"): TEXTS[2:]}]


def test_layers_are_read_one_at_a_time_in_fp32(tiny):
    model = tiny(dtype="bf16")
    paths = cached_activations(model, {("c", "en"): TEXTS[:2], ("c", "fr"): TEXTS[2:]})
    read = layer_reader(list(paths.values()))
    for layer in (1, 4):
        found = read(layer)
        assert found.shape == (2, 2, 32) and found.dtype == np.float32
        for part, path in zip(found, paths.values(), strict=True):
            np.testing.assert_array_equal(part, read_shard(path)[:, layer - 1])


def test_states_of_a_concept_are_those_of_its_languages_in_order(tiny):
    model = tiny()
    texts = {("a", "en"): TEXTS[:2], ("b", "en"): TEXTS[1:3], ("a", "fr"): TEXTS[2:], ("b", "fr"): TEXTS[:2]}
    found = concept_states(model, texts)
    assert list(found) == ["a", "b"]
    for concept, layers in found.items():
        wanted = [extract(model, texts[concept, code])[:, 2] for code in ("en", "fr")]
        np.testing.assert_allclose(layers(3), torch.stack(wanted).numpy(), atol=1e-6)


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


@pytest.mark.parametrize("texts", [TEXTS, ALIKE], ids=["unlike", "alike"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_are_those_of_the_plain_reader(tiny, architecture, texts):
    model = tiny(architecture)
    torch.testing.assert_close(read_fast(model, texts), extract(model, texts, fast=False), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("budget", [1, 20, 10_000])
def test_states_do_not_depend_on_the_batch(tiny, budget):
    model = tiny()
    torch.testing.assert_close(read_fast(model, TEXTS, budget), read_fast(model, TEXTS), atol=1e-5, rtol=1e-4)


def test_what_texts_begin_with_is_computed_once(tiny):
    model = tiny()
    read_fast(model, TEXTS)
    with tokens_read(model) as seen:
        read_fast(model, ALIKE[:2])
    lengths = [len(row) for row in model.token_ids(ALIKE[:2])]
    assert max(lengths) < sum(seen) < sum(lengths) - 4


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "bloom", "falcon", "mixtral"])
def test_the_last_mlp_sees_no_token_that_nothing_is_read_from(tiny, architecture):
    model, seen = tiny(architecture), []
    read_fast(model, TEXTS)
    handle = model.blocks[-1].mlp.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0].shape[:2].numel()))
    read_fast(model, TEXTS)
    handle.remove()
    assert sum(seen) == len(TEXTS)
    assert not model.blocks[-1].mlp._forward_pre_hooks and not model.blocks[-1].mlp._forward_hooks


def test_the_vocabulary_head_is_never_computed(tiny):
    model = tiny()
    handle = model.network.get_output_embeddings().register_forward_hook(lambda *_: pytest.fail("head ran"))
    read_fast(model, TEXTS)
    handle.remove()


@pytest.mark.parametrize("error", [RuntimeError("of another kind"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_hooks_are_removed_even_after_an_error(tiny, error):
    model = tiny()
    read_fast(model, TEXTS)

    def fail(*_given):
        raise error

    handle = model.blocks[2].register_forward_pre_hook(fail)
    with pytest.raises(type(error)):
        read_fast(model, TEXTS)
    handle.remove()
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.network.modules())
