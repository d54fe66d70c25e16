from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file

from tests.conftest import ARCHITECTURES
from tests.models.architectures import small_network
from xlv import cache
from xlv.models import activations
from xlv.models.activations import cached_activations, concept_states, extract, layer_reader, read_fast, read_shard
from xlv.models.advice import ModelError
from xlv.models.blocks import find_blocks
from xlv.models.model import Model

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


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_bits_of_a_shard_depend_on_nothing_else_that_is_read(tiny, dtype, monkeypatch, tmp_path):
    texts = {("a", "en"): TEXTS * 2, ("b", "en"): ALIKE + TEXTS[:2], ("c", "en"): [t + " Yes." for t in ALIKE + TEXTS]}
    whole = {key: path.read_bytes() for key, path in cached_activations(tiny("llama", dtype), texts).items()}
    for kept in ([("b", "en")], [("c", "en"), ("a", "en")]):
        monkeypatch.setenv("XLV_CACHE", str(tmp_path / kept[0][0]))
        few = cached_activations(tiny("llama", dtype), {key: texts[key] for key in kept})
        assert {key: path.read_bytes() for key, path in few.items()} == {key: whole[key] for key in kept}
        rest = cached_activations(tiny("llama", dtype), texts)  # goes on from there
        assert {key: path.read_bytes() for key, path in rest.items()} == whole


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (
            "fp16",
            "the states of tiny-llama overflow in fp16 from layer 2 on, in texts of c in en: choose --dtype bf16 or",
        ),
        (
            "bf16",
            "the weight model.layers.1.mlp.up_proj.weight of tiny-llama holds values that are not finite, and so do",
        ),
    ],
)
def test_states_that_are_not_finite_are_refused_in_one_line_and_not_kept(tiny, dtype, message):
    model = tiny("llama", dtype)
    mlp = model.blocks[1].mlp
    if dtype == "fp16":  # as Gemma's do
        mlp.register_forward_hook(lambda _module, _inputs, output: (output.float() * 1e12).to(output.dtype))
    else:
        mlp.up_proj.weight[3, 4] = torch.nan
    with pytest.raises(ModelError, match=message) as refused:
        cached_activations(model, {("c", "en"): TEXTS})
    assert "\n" not in str(refused.value) and not list(cache.cache_root().rglob("*.safetensors"))


def test_a_last_state_of_another_width_is_read_in_front_of_its_projection(tokenizer):
    config = ARCHITECTURES["opt"]()
    config.word_embed_proj_dim, config._remove_final_layer_norm = 16, True  # as OPT-350m
    network = hf.OPTForCausalLM(config).eval().requires_grad_(False)
    model = Model("narrow", network, tokenizer, find_blocks(network), "fp32", "raw", "narrow")
    given = []
    handle = network.get_decoder().project_out.register_forward_pre_hook(
        lambda _module, inputs: given.append(inputs[0])
    )
    found = extract(model, TEXTS[:1], fast=False)
    handle.remove()
    assert torch.equal(found[0, -1], given[-1][0, -1]) and found.shape == (1, 4, 32)
    torch.testing.assert_close(extract(model, TEXTS[:1]), found)


def test_states_that_blocks_hand_on_in_fp32_are_kept_in_the_model_s_dtype(tokenizer):
    network = small_network("mamba")
    model = Model("mamba", network, tokenizer, find_blocks(network), "fp32", "raw", "mamba")
    exact = extract(model, TEXTS)
    half = replace(model, network=network.to(torch.bfloat16), dtype="bf16")
    for fast in (True, False):
        found = extract(half, TEXTS, fast=fast)
        assert found.dtype == torch.bfloat16 and (found.float() - exact).norm() < 0.05 * exact.norm()
