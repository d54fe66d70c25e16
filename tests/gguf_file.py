"""A tiny Llama as a GGUF file, as llama.cpp would write it: its names, its order of rotary weights."""

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
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    rows = weight.reshape(heads, 2, len(weight) // heads // 2, *weight.shape[1:])
    return np.ascontiguousarray(rows.swapaxes(1, 2).reshape(weight.shape))


def write_gguf(path: Path, network, tokenizer) -> None:
    """Write a Llama and its byte-level BPE tokenizer."""
    config, writer = network.config, gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    parts = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(parts["vocab"], key=parts["vocab"].get))
    writer.add_token_types([1] * len(parts["vocab"]))
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in parts["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(0)
    for key, tensor in network.state_dict().items():
        name, weight = key.removesuffix(".weight"), tensor.numpy()
        if name not in NAMES:
            block, part = name.removeprefix("model.layers.").split(".", 1)
            heads = {"self_attn.q_proj": config.num_attention_heads, "self_attn.k_proj": config.num_key_value_heads}
            weight = _interleaved(weight, heads[part]) if part in heads else weight
            name = f"blk.{block}.{BLOCK_NAMES[part]}"
        writer.add_tensor(f"{NAMES.get(name, name)}.weight", weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
