"""Tiny models as GGUF files, as llama.cpp would write them: its names, its order of rotary weights, its norms."""

import json
from pathlib import Path

import gguf
import numpy as np

NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
BLOCK_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
GEMMA_NAMES = {"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm"}
GEMMA_NAMES |= {"post_feedforward_layernorm": "post_ffw_norm"}


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    rows = weight.reshape(heads, 2, len(weight) // heads // 2, *weight.shape[1:])
    return np.ascontiguousarray(rows.swapaxes(1, 2).reshape(weight.shape))


def tensors_of(network, architecture: str) -> dict[str, np.ndarray]:
    """A network's weights under the names and in the order of GGUF; a tied head is left out."""
    config, found = network.config, {}
    gemma, names = architecture.startswith("gemma"), NAMES | BLOCK_NAMES
    names |= GEMMA_NAMES if gemma else {}
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for key, tensor in network.state_dict().items():
        (name, suffix), weight = key.rsplit(".", 1), tensor.numpy()
        if name == "lm_head" and config.tie_word_embeddings:
            continue
        if name not in names:
            block, part = name.removeprefix("model.layers.").split(".", 1)
            if architecture == "llama" and names[part] in heads:
                weight = _interleaved(weight, heads[names[part]])
            name = f"blk.{block}.{names[part]}"
        name = names.get(name, name)
        found[f"{name}.{suffix}"] = weight + 1 if gemma and name.endswith("norm") else weight
    return found


def write_gguf(path: Path, network, tokenizer, architecture="llama", keys=(), tensors=None, **options) -> None:
    """Write a model and its byte-level BPE tokenizer; `keys` are added or replace those usual here; None: without.

    `tensors` are written in place of the network's; `options` go to GGUFWriter, which may split the file.
    """
    config, writer = network.config, gguf.GGUFWriter(path, architecture, **options)
    numbers = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "rope.freq_base": 10000.0,
        "vocab_size": config.vocab_size,
    }
    parts = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    found = {f"{architecture}.{key}": value for key, value in numbers.items()}
    found |= {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": sorted(parts["vocab"], key=parts["vocab"].get),
        "tokenizer.ggml.token_type": [1] * len(parts["vocab"]),
        "tokenizer.ggml.merges": [pair if isinstance(pair, str) else " ".join(pair) for pair in parts["merges"]],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.padding_token_id": 0,
    }
    for key, value in (found | dict(keys)).items():
        if value is None:
            continue
        add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        add.get(type(value), writer.add_array)(key, value)
    for name, weight in (tensors_of(network, architecture) if tensors is None else tensors).items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
