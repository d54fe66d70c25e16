"""Every architecture of the installed transformers that AutoModelForCausalLM knows, as a tiny random network."""

import re

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

NAMES = tuple(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
VOCABULARY = 400
# Fields of a config by name, and what they are made; the first that matches counts.
SIZES = {
    r".*vocab_size(_per_layer_input)?|.*vocab_size_base": VOCABULARY,
    r"hidden_size|d_model|n_embd|n_embed|dim|word_embed_proj_dim|embedding_size|lru_width|attention_hidden_size": 32,
    r".*intermediate_size.*|.*ffn_dim|ffn_hidden_size|n_inner|inner_dim|d_ff|dim_ff|feed_forward_size": 64,
    r"num_hidden_layers|n_layers?|num_layers|num_decoder_layers|decoder_layers|num_blocks": 4,
    r"linear_num_key_heads|.*num_key_value_heads|.*kv_heads|n_head_kv": 2,
    r".*num_attention_heads|n_heads?|num_heads|decoder_attention_heads|linear_num_value_heads|index_n_heads": 4,
    r".*head_dim|kv_channels|d_kv": 8,
    r"rotary_dim": 4,
    r"num_experts|num_local_experts|n_routed_experts|moe_num_experts|n_experts": 4,
    r".*experts_per_tok(en)?|moe_top_?k|top_k_experts|moe_k": 2,
    r"n_group|num_expert_group|topk_group": 1,
    r".*rank|hidden_size_per_layer_input": 8,
    r"chunk_size|mamba_chunk_size": 8,
}
_MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1}
_HEADS = {"head_dim": 8}
_ALIKE = {"num_key_value_heads": 4}
_WIDE = {"attention_hidden_size": 64, "attention_head_dim": 16}
_ROPE = {"rope_type": "default", "rope_theta": 10_000.0}
_INDEXED = {
    "eos_token_id": 2,
    "ple_embed_dim": 16,
    "ple_layer_ids": [1],
    "hc_lowrank": 8,
    "split_ngram_parts": 4,
    "indexer_n_heads": 2,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 8,
    "indexer_budget": 64,
    "indexer_compress_ratio": 4,
}
# What an architecture needs besides, where sizes alone make no network.
NEEDED: dict[str, dict] = {
    "bailing_hybrid": _ALIKE | {"layer_group_size": 2, "qk_head_dim": 16},
    "bamba": _MAMBA | {"attn_layer_indices": [1, 3]},
    "cohere_compass_text": {"rope_parameters": dict.fromkeys(("full_attention", "sliding_attention"), _ROPE)},
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "deepseek_v2": {**_ALIKE, "num_experts_per_tok": 2, "first_k_dense_replace": 1},
    "falcon_h1": _MAMBA | {"mamba_d_ssm": 64},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]], "window_size": 64, "max_position_embeddings": 128},
    "granitemoehybrid": {**_MAMBA, "layer_types": ["mamba", "attention"] * 2},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1, "state_size": 8},
    "nemotron": _HEADS | _ALIKE,
    "hunyuan_v1_dense": _HEADS,
    "hunyuan_v1_moe": _HEADS,
    "ministral": _HEADS,
    "codegen": {"n_ctx": 128, "n_positions": 128},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2},
    "longcat_flash": _ALIKE | {"qk_head_dim": 16},
    "blt": {"encoder_hash_byte_group_vocab": 8},
    "zamba": _ALIKE | _WIDE | {"layers_block_type": ["mamba", "hybrid"] * 2},
    "zamba2": _ALIKE | _WIDE | {"layers_block_type": ["mamba", "hybrid"] * 2, "num_mem_blocks": 1},
    "zaya": {"num_experts_per_tok": 1, "router_hidden_size": 8},
    "gemma3n_text": {"num_kv_shared_layers": 0, "layer_types": ["sliding_attention", "full_attention"] * 2},
    "qwen4_exp_text": _INDEXED,
    "reformer": {"is_decoder": True, "axial_pos_embds": False, "attention_head_size": 8},
    **dict.fromkeys(
        "axk1 axk2 deepseek_v3 deepseek_v32 dots3_note_text glm4_moe_lite glm_moe_dsa minicpm3 youtu".split(), _ALIKE
    ),
}


def small_config(kind: type[PreTrainedConfig]) -> PreTrainedConfig:
    """The default config of a class with its sizes shrunk, those of its parts too."""
    default, given = kind(), {}
    for name, value in vars(default).items():
        size = next((size for pattern, size in SIZES.items() if re.fullmatch(pattern, name)), None)
        if size is not None and type(value) is int:
            given[name] = size
        elif name.endswith("token_id") and type(value) is int:
            given[name] = 0
    needed = {"pad_token_id": 0} | NEEDED.get(kind.model_type, {})
    for name in set(kind.sub_configs or {}) - needed.keys():
        if (part := getattr(default, name, None)) is not None:
            given[name] = small_config(type(part)).to_dict()
    if hasattr(default, "initializer_range"):
        given["initializer_range"] = 0.1  # what is mixed weighs as much as in a trained network
    return kind(**given | needed)


def small_network(name: str) -> PreTrainedModel:
    """A seeded network of four layers, width 32, in fp32."""
    torch.manual_seed(0)
    config = small_config(CONFIG_MAPPING[name])
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval().requires_grad_(False)
