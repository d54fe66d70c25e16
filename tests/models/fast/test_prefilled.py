"""Batches of prompts in networks of every kind: padded, cached and read on, each as it is read alone."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
import transformers as hf

from tests.models.architectures import small_config
from tests.models.test_decoding import completed_alone, log_alone
from xlv.models.activations import extract
from xlv.models.blocks import find_blocks
from xlv.models.decoding import ReadPrompts, generate
from xlv.models.fast import prefilled
from xlv.models.fast.prefilled import Way, way_for
from xlv.models.fast.probe import permits
from xlv.models.model import DTYPES, Model
from xlv.models.steering import Gate, directional_ablation, layer_ablation, steer

KINDS = {  # an architecture, what it is changed to, and how its prompts of some twenty tokens are read in a batch
    "llama": ({}, Way.SHARED),
    "olmoe": ({}, Way.SHARED),  # experts
    "qwen2_moe": ({}, Way.SHARED),
    "deepseek_v2": ({}, Way.SHARED),  # latent attention
    "gpt2": ({}, Way.SHARED),  # learned positions, of those that are given
    "biogpt": ({}, Way.SHARED),  # of the mask
    "openai-gpt": ({}, Way.ALONE),  # no cache at all
    "xglm": ({}, Way.SHARED),
    "codegen": ({}, Way.SHARED),
    "gpt_bigcode": ({}, Way.SHARED),  # one head of keys
    "bloom": ({}, Way.SHARED),  # ALiBi, by the mask
    "falcon": ({"alibi": True}, Way.SHARED),
    "mpt": ({}, Way.FRONT),  # ALiBi, by the column
    "gemma3_text": ({"sliding_window": 200}, Way.SHARED),
    "mistral": ({"sliding_window": 8}, Way.COPIED),
    "gemma2": ({"sliding_window": 8}, Way.COPIED),
    "gpt_oss": ({"sliding_window": 8}, Way.COPIED),
    "llama4_text": ({"attention_chunk_size": 8}, Way.COPIED),
    "gpt_neo": ({"window_size": 8}, Way.COPIED),
    "lfm2": ({}, Way.COPIED),  # convolutions
    "qwen3_next": ({}, Way.COPIED),  # delta rule
    "bamba": ({}, Way.COPIED),  # recurrent blocks between those of attention
    "falcon_h1": ({}, Way.COPIED),  # and beside it
    "mamba": ({}, Way.ALONE),
    "rwkv": ({}, Way.ALONE),  # a state without a mask
    "trocr": ({}, Way.ALONE),  # learned positions, of the column
    "whisper": ({}, Way.SHARED),  # a generate of its own
}
PROMPTS = [f"I paid my neighbour for the {thing}" for thing in ("car", "very old door, and then I went on", "door")]
OPENINGS = ["I", " cannot help", " can not"]


@pytest.fixture
def network(tokenizer):
    def build(kind: str, dtype: str = "fp32") -> Model:
        torch.manual_seed(0)
        config = small_config(hf.models.auto.configuration_auto.CONFIG_MAPPING[kind])
        for name, value in {**KINDS[kind][0], "eos_token_id": 1}.items():
            setattr(config, name, value)
        made = hf.AutoModelForCausalLM.from_config(config, dtype=DTYPES[dtype]).eval().requires_grad_(False)
        return Model(kind, made, tokenizer, find_blocks(made), dtype, "raw", kind)

    return build


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_batch_is_read_and_completed_as_each_prompt_is_alone_steered_or_not(network, kind):
    model = network(kind)
    vector = torch.randn(32, generator=torch.Generator().manual_seed(3))
    found = []
    for steered in (nullcontext(), steer(model, {2: vector}, 0.5)):
        with steered:
            logs = ReadPrompts(model, PROMPTS).opening_logs(OPENINGS)
            wanted = [[log_alone(model, prompt, opening) for prompt in PROMPTS] for opening in OPENINGS]
            np.testing.assert_allclose(logs, wanted, atol=1e-4)
            assert generate(model, PROMPTS, max_new_tokens=4) == [completed_alone(model, p, 4) for p in PROMPTS]
            found.append(logs)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert way_for(model, 40 if kind == "gemma3_text" else 24) is KINDS[kind][1]


def both(model: Model, prompts: list[str], *steering: object) -> tuple[np.ndarray, list[str]]:
    """Log-probabilities of openings and completions, under a steering if one is given."""
    with steer(model, *steering) if steering else nullcontext():
        return ReadPrompts(model, prompts).opening_logs(OPENINGS), generate(model, prompts, max_new_tokens=4)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_under_a_gate_a_batch_is_what_each_row_is_alone_and_what_plain_and_steered_outcomes_recombine_to(network, kind):
    model, states = network(kind), torch.Generator().manual_seed(3)
    vectors, direction = {2: torch.randn(32, generator=states)}, torch.randn(32, generator=states)
    projections = (extract(model, PROMPTS, fast=False)[:, 2].float() @ direction).tolist()
    gate = Gate(direction, 3, sum(sorted(projections)[:2]) / 2)  # shut for one: the prompts are of unlike lengths
    opened = [projection > gate.threshold for projection in projections]
    plain, steered = both(model, PROMPTS), both(model, PROMPTS, vectors, 0.5)
    logs, completions = both(model, PROMPTS, vectors, 0.5, None, gate)
    alone = [both(model, [prompt], vectors, 0.5, None, gate) for prompt in PROMPTS]
    assert sum(opened) == 2 and np.abs(plain[0] - steered[0]).max() > 1e-3
    np.testing.assert_allclose(logs, np.where(opened, steered[0], plain[0]), atol=1e-4)
    np.testing.assert_allclose(logs, np.concatenate([one for one, _ in alone], axis=1), atol=1e-4)
    recombined = [(steered if open_ else plain)[1][i] for i, open_ in enumerate(opened)]
    assert completions == recombined == [text for _, [text] in alone]


@pytest.mark.parametrize("kind", ["llama", "mpt", "mistral", "lfm2", "mamba"])
@pytest.mark.parametrize("sign", [1, -1], ids=["never", "always"])
def test_a_gate_that_never_opens_is_no_control_and_one_that_always_does_is_plain_steering(network, kind, sign):
    model, vectors = network(kind), {2: torch.randn(32, generator=torch.Generator().manual_seed(3))}
    logs, completions = both(model, PROMPTS, vectors, 0.5, None, Gate(np.ones(32), 3, sign * 1e9))
    wanted = both(model, PROMPTS) if sign > 0 else both(model, PROMPTS, vectors, 0.5)
    assert completions == wanted[1]
    np.testing.assert_allclose(logs, wanted[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "lfm2"])
def test_what_a_network_permits_is_the_same_when_it_is_tried_out_under_a_gate(network, kind):
    model = network(kind)
    with steer(model, {1: torch.ones(32)}, 0.5, gate=Gate(torch.ones(32), 2, 0.0)):
        generate(model, PROMPTS, max_new_tokens=2)
        assert way_for(model, 24) is KINDS[kind][1] and permits(model).packed == (kind == "llama")


def test_rows_that_stay_shut_are_read_once_and_those_that_open_once_more(network):
    model, passes = network("llama"), []
    direction = torch.randn(32, generator=torch.Generator().manual_seed(3))
    way_for(model, 80), permits(model)
    low, middle, high = sorted((extract(model, PROMPTS)[:, 1].float() @ direction).tolist())
    model.blocks[0].register_forward_pre_hook(lambda _m, inputs: passes.append(len(inputs[0])))
    for threshold, extra in ((high + 1, []), ((middle + high) / 2, [1]), ((low + middle) / 2, [1, 2])):
        passes.clear()
        with steer(model, {1: torch.ones(32)}, 0.5, gate=Gate(direction, 2, threshold)):
            ReadPrompts(model, PROMPTS)
        assert passes == [1, 3, *extra]


@pytest.mark.parametrize("kind", ["llama", "mpt", "lfm2", "gpt2"])
def test_the_way_is_the_same_in_bf16_and_under_what_steers(network, kind):
    way, unit = KINDS[kind][1], torch.ones(32)
    assert way_for(network(kind, "bf16"), 24) is way
    model = network(kind, "bf16")
    with layer_ablation(model, {2: unit}), steer(model, {1: unit}, 0.5):
        assert way_for(model, 24) is way
    if kind == "llama":
        model = network(kind, "bf16")
        with directional_ablation(model, unit):
            assert way_for(model, 24) is way


@pytest.mark.parametrize("kind", ["llama", "olmoe", "mpt", "lfm2"])
def test_quantised_weights_are_allowed_the_rounding_of_half_precision(network, kind, monkeypatch):
    monkeypatch.setattr(prefilled, "in_fp32", nullcontext)
    model = network(kind, "bf16")
    model.network.is_quantized = True
    assert way_for(model, 24) is KINDS[kind][1]


def test_a_head_that_cannot_be_taken_off_is_left_in_its_place(network, monkeypatch):
    model = network("llama")

    def swap(head):
        model.network.lm_head = head
        if isinstance(head, torch.nn.Identity):
            raise AttributeError("no bias")

    head = model.network.lm_head
    monkeypatch.setattr(model.network, "set_output_embeddings", swap)
    assert way_for(model, 24) is Way.ALONE and model.network.lm_head is head


def test_prompts_that_reach_beyond_a_window_are_read_on_from_copies(network):
    model = network("gemma3_text")
    assert [way_for(model, reach) for reach in (199, 200)] == [Way.SHARED, Way.COPIED]


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 4},
        {"stop_strings": ["e"]},
        {"cache_implementation": "static"},
        {"no_repeat_ngram_size": 1},
        {"return_dict_in_generate": True, "output_scores": True},
        {"do_sample": True, "temperature": 5.0, "repetition_penalty": 9.0},
        {"forced_eos_token_id": 1, "max_length": 3},
        {"suppress_tokens": list(range(300))},
        {"use_cache": False, "num_return_sequences": 3, "guidance_scale": 2.0},
    ],
    ids=lambda options: next(iter(options)),
)
def test_completions_are_greedy_whatever_the_model_s_generation_config_says(network, options):
    model = network("llama")
    wanted, own = generate(model, PROMPTS, max_new_tokens=6), model.network.generation_config
    for name, value in options.items():
        setattr(own, name, value)
    assert generate(model, PROMPTS, max_new_tokens=6) == wanted == [completed_alone(model, p, 6) for p in PROMPTS]
    assert model.network.generation_config is own and all(getattr(own, name) == v for name, v in options.items())


@pytest.mark.parametrize("kind", ["llama", "lfm2", "mamba"])
def test_completions_end_at_any_of_the_model_s_end_marks(network, kind):
    model = network(kind)
    [whole] = ReadPrompts(model, PROMPTS[:1]).read.completed(6)
    model.network.generation_config.eos_token_id = [399, whole[2]]
    stop = whole.index(whole[2]) + 1
    assert ReadPrompts(model, PROMPTS[:1]).read.completed(6) == [whole[:stop]]
