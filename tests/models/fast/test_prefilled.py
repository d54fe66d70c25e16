"""Batches of prompts in networks of every kind: padded, cached and read on, each as it is read alone."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
import transformers as hf

from tests.models.test_decoding import completed_alone, log_alone
from xlv.models.blocks import find_blocks
from xlv.models.decoding import ReadPrompts, generate
from xlv.models.fast import prefilled
from xlv.models.fast.prefilled import Way, way_for
from xlv.models.model import Model
from xlv.models.steering import directional_ablation, layer_ablation, steer

S = {"hidden_size": 32, "num_hidden_layers": 4, "vocab_size": 400}
H = {**S, "intermediate_size": 64, "num_attention_heads": 4}
G = {**H, "num_key_value_heads": 2, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}
N = {"n_embd": 32, "n_layer": 4, "n_head": 4, "vocab_size": 400, "n_positions": 128}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2}
MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1, "mamba_chunk_size": 16}
SHARED_EXPERT = {**EXPERTS, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32}
DELTA = {"linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4}
LATENT = {"kv_lora_rank": 8, "q_lora_rank": None, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
DEEP = {
    **LATENT,
    "num_experts_per_tok": 2,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "moe_intermediate_size": 32,
}
BART = {"d_model": 32, "ffn_dim": 64, "num_layers": 4, "attention_heads": 4, "vocab_size": 400}
KINDS = {  # how prompts of up to some twenty tokens are read, and a small network of the kind
    "rotary": (Way.SHARED, lambda: hf.LlamaConfig(**G)),
    "window ahead": (Way.SHARED, lambda: hf.Gemma3TextConfig(**G, head_dim=8, sliding_window=200)),
    "window passed": (Way.COPIED, lambda: hf.MistralConfig(**G, sliding_window=8)),
    "windows in turn": (Way.COPIED, lambda: hf.Gemma2Config(**G, head_dim=8, sliding_window=8)),
    "window and sinks": (
        Way.COPIED,
        lambda: hf.GptOssConfig(**G, head_dim=8, num_local_experts=4, num_experts_per_tok=2, sliding_window=8),
    ),
    "chunks": (
        Way.COPIED,
        lambda: hf.Llama4TextConfig(
            **G, head_dim=8, intermediate_size_mlp=64, num_local_experts=2, attention_chunk_size=8
        ),
    ),
    "local window": (
        Way.COPIED,
        lambda: hf.GPTNeoConfig(
            hidden_size=32,
            intermediate_size=64,
            num_layers=4,
            num_heads=4,
            attention_types=[[["global", "local"], 2]],
            window_size=8,
            vocab_size=400,
            max_position_embeddings=128,
        ),
    ),
    "experts": (Way.SHARED, lambda: hf.OlmoeConfig(**G, **EXPERTS)),
    "shared experts": (Way.SHARED, lambda: hf.Qwen2MoeConfig(**G, **SHARED_EXPERT)),
    "latent attention": (Way.SHARED, lambda: hf.DeepseekV2Config(**{**G, "num_key_value_heads": 4}, **DEEP)),
    "learned positions": (Way.SHARED, lambda: hf.GPT2Config(**N)),
    "learned positions of the mask": (Way.SHARED, lambda: hf.BioGptConfig(**H, max_position_embeddings=128)),
    "no cache": (Way.ALONE, lambda: hf.OpenAIGPTConfig(**N)),
    "one key head": (Way.SHARED, lambda: hf.GPTBigCodeConfig(**N)),
    "parallel blocks": (Way.SHARED, lambda: hf.CodeGenConfig(**N, rotary_dim=4)),
    "sinusoids": (Way.SHARED, lambda: hf.XGLMConfig(**BART, max_position_embeddings=128)),
    "ALiBi by column": (
        Way.FRONT,
        lambda: hf.MptConfig(d_model=32, n_heads=4, n_layers=4, vocab_size=400, max_seq_len=128),
    ),
    "ALiBi of the mask": (Way.SHARED, lambda: hf.BloomConfig(hidden_size=32, n_layer=4, n_head=4, vocab_size=400)),
    "ALiBi, one key head": (Way.SHARED, lambda: hf.FalconConfig(**S, num_attention_heads=4, alibi=True)),
    "convolutions": (Way.COPIED, lambda: hf.Lfm2Config(**G, layer_types=["conv", "full_attention"] * 2)),
    "delta rule": (
        Way.COPIED,
        lambda: hf.Qwen3NextConfig(
            **G, head_dim=8, layer_types=["linear_attention", "full_attention"] * 2, **DELTA, **SHARED_EXPERT
        ),
    ),
    "recurrent beside attention": (Way.COPIED, lambda: hf.FalconH1Config(**G, mamba_d_ssm=64, **MAMBA)),
    "recurrent in turn": (Way.COPIED, lambda: hf.BambaConfig(**G, attn_layer_indices=[1, 3], **MAMBA)),
    "recurrent": (Way.ALONE, lambda: hf.MambaConfig(**S, state_size=8)),
    "recurrent without a mask": (Way.ALONE, lambda: hf.RwkvConfig(**S, attention_hidden_size=32)),
}
PROMPTS = [f"I paid my neighbour for the {thing}" for thing in ("car", "very old door, and then I went on", "door")]
OPENINGS = ["I", " cannot help", " can not"]


@pytest.fixture
def network(tokenizer):
    def build(kind: str, dtype: torch.dtype = torch.float32) -> Model:
        torch.manual_seed(1)
        made = hf.AutoModelForCausalLM.from_config(KINDS[kind][1](), dtype=dtype).eval().requires_grad_(False)
        named = {torch.float32: "fp32", torch.bfloat16: "bf16"}[dtype]
        return Model(kind, made, tokenizer, find_blocks(made), named, "raw", kind)

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
    assert way_for(model, 40 if kind == "window ahead" else 24) is KINDS[kind][0]


@pytest.mark.parametrize("kind", ["rotary", "ALiBi by column", "convolutions", "learned positions"])
def test_the_way_is_the_same_in_bf16_and_under_what_steers(network, kind):
    way, unit = KINDS[kind][0], torch.ones(32)
    assert way_for(network(kind, torch.bfloat16), 24) is way
    model = network(kind, torch.bfloat16)
    with layer_ablation(model, {2: unit}), steer(model, {1: unit}, 0.5):
        assert way_for(model, 24) is way
    if kind == "rotary":
        model = network(kind, torch.bfloat16)
        with directional_ablation(model, unit):
            assert way_for(model, 24) is way


@pytest.mark.parametrize("kind", ["rotary", "experts", "ALiBi by column", "convolutions"])
def test_quantised_weights_are_allowed_the_rounding_of_half_precision(network, kind, monkeypatch):
    monkeypatch.setattr(prefilled, "in_fp32", nullcontext)
    model = network(kind, torch.bfloat16)
    model.network.is_quantized = True
    assert way_for(model, 24) is KINDS[kind][0]


def test_a_head_that_cannot_be_taken_off_is_left_in_its_place(network, monkeypatch):
    model = network("rotary")

    def swap(head):
        model.network.lm_head = head
        if isinstance(head, torch.nn.Identity):
            raise AttributeError("no bias")

    head = model.network.lm_head
    monkeypatch.setattr(model.network, "set_output_embeddings", swap)
    assert way_for(model, 24) is Way.ALONE and model.network.lm_head is head


def test_prompts_that_reach_beyond_a_window_are_read_on_from_copies(network):
    model = network("window ahead")
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
    model = network("rotary")
    wanted, own = generate(model, PROMPTS, max_new_tokens=6), model.network.generation_config
    for name, value in options.items():
        setattr(own, name, value)
    assert generate(model, PROMPTS, max_new_tokens=6) == wanted == [completed_alone(model, p, 6) for p in PROMPTS]
    assert model.network.generation_config is own and all(getattr(own, name) == v for name, v in options.items())


@pytest.mark.parametrize("kind", ["rotary", "convolutions", "recurrent"])
def test_completions_end_at_any_of_the_model_s_end_marks(network, kind):
    model = network(kind)
    [whole] = ReadPrompts(model, PROMPTS[:1]).read.completed(6)
    model.network.generation_config.eos_token_id = [399, whole[2]]
    stop = whole.index(whole[2]) + 1
    assert ReadPrompts(model, PROMPTS[:1]).read.completed(6) == [whole[:stop]]
