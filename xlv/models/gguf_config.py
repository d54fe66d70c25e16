"""What a GGUF file says and the reader in transformers passes over: put where transformers looks for it."""

import math
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xlv.models.advice import ModelError
from xlv.models.gguf_header import Header, shown

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerFast

_TABLE = tomllib.loads(Path(__file__).with_name("gguf.toml").read_text(encoding="utf-8"))
_SPLITS = {name: rule for rule in _TABLE["splits"] for name in rule["names"]}
_ALL = ("sliding_attention",)  # the layers of a config that does not list them by kind
FACTORS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
INSTEAD = "give the model before its conversion to GGUF (a folder or a Hub id) instead"


def follow(config: "PreTrainedConfig", header: Header) -> None:
    """Put the file's keys and factors into the config; ModelError, naming it, for one that has no place there."""
    keys = header.own_keys()
    if lacking := [name for name, any_of in _TABLE["needed"].items() if not keys.keys() & set(any_of)]:
        raise ModelError(f"{header.path} lacks the key {lacking[0]} of its architecture: {INSTEAD}")
    for key, value in keys.items():
        names = [name for name in _TABLE["carried"].get(key, ()) if hasattr(config, name)]
        if key == "attention.sliding_window" and "sliding_attention" not in (getattr(config, "layer_types", 0) or _ALL):
            names = []
        if names and getattr(config, names[0]) != value:
            setattr(config, names[0], value)
        elif not names and key not in _TABLE["known"] and not _implied(key, value, config):
            raise _unfollowed(header, key)
    if header.keys["general.architecture"] in ("gemma2", "gemma3") and config.num_hidden_layers in (46, 62):
        config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads  # of the 27B, in no key
    if rope := getattr(config, "rope_parameters", None):
        full, local = rope.get("full_attention", rope), rope.get("sliding_attention", {})
        full["rope_theta"] = keys.get("rope.freq_base", 10000.0)  # whatever the architecture's own is
        if local and "rope.freq_base_swa" in keys:
            local["rope_theta"] = keys["rope.freq_base_swa"]
        full |= _scaling(header, keys, full["rope_theta"], _turned(config, full, header, keys))
        if hasattr(config, "original_max_position_embeddings") and "original_max_position_embeddings" in full:
            config.original_max_position_embeddings = full["original_max_position_embeddings"]
    elif factors := [key for key in (*keys, *header.tensors) if key in FACTORS or key.startswith("rope.scaling.")]:
        raise _unfollowed(header, factors[0])


def way_to_split(keys: dict) -> dict | None:
    """How a byte-level tokenizer cuts texts, by `tokenizer.ggml.pre`; None for a name that is not known."""
    usual = _TABLE["usual"].get(keys.get("general.architecture"), "gpt-2")  # older files say nothing
    return _SPLITS.get(str(keys.get("tokenizer.ggml.pre", usual)))


def split_as_published(tokenizer: "PreTrainedTokenizerFast", keys: dict) -> None:
    """Let a tokenizer cut texts in the way of its file, which is known."""
    from tokenizers import Regex, normalizers
    from tokenizers.pre_tokenizers import ByteLevel, Metaspace, Sequence, Split

    rule, backend = way_to_split(keys), tokenizer.backend_tokenizer
    if keys.get("tokenizer.ggml.model") != "gpt2":
        if isinstance(backend.pre_tokenizer, Metaspace) and keys.get("tokenizer.ggml.add_space_prefix") is False:
            backend.pre_tokenizer = Metaspace(prepend_scheme="never", split=False)
        return
    steps = rule["rules"] if "BYTES" in rule["rules"] else [*rule["rules"], "BYTES"]
    letters = ByteLevel(add_prefix_space=False, use_regex=False)
    backend.pre_tokenizer = Sequence([letters if s == "BYTES" else Split(Regex(s), "isolated") for s in steps])
    if rule.get("nfc"):
        backend.normalizer = normalizers.NFC()
    if rule.get("whole"):
        backend.model.ignore_merges = True
    if rule.get("begun") and "tokenizer.ggml.add_bos_token" not in keys and tokenizer.bos_token is not None:
        tokenizer.add_bos_token = True
        tokenizer.update_post_processor()


def _unfollowed(header: Header, key: str) -> ModelError:
    value = header.own_keys().get(key)
    said = key if value is None else f"{key} = {shown(value)}"
    return ModelError(f"{header.path}: transformers cannot follow {said} of this file; {INSTEAD}")


def _implied(key: str, value, config: "PreTrainedConfig") -> bool:
    """Whether a config that has no place for a key means its value by that."""
    if key == "attention.key_length":
        return value == config.hidden_size // config.num_attention_heads
    if key == "attention.sliding_window":  # a window of the whole context
        return value >= config.max_position_embeddings
    if key == "attention.sliding_window_pattern":
        kinds = [kind == "sliding_attention" for kind in getattr(config, "layer_types", None) or ()]
        return value in (kinds, kinds.index(False) + 1 if False in kinds else 0)
    return value in _TABLE["neutral"].get(key, ())


def _turned(config: "PreTrainedConfig", rope: dict, header: Header, keys: dict) -> int:
    """How many dimensions of a head turn with the position; put into `rope` where that is a part of them."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    turned = keys.get("rope.dimension_count", head)
    if "partial_rotary_factor" in rope:
        rope["partial_rotary_factor"] = turned / head
        if hasattr(config, "partial_rotary_factor"):
            config.partial_rotary_factor = turned / head
    elif turned != head:
        raise _unfollowed(header, "rope.dimension_count")
    return turned


def _scaling(header: Header, keys: dict, base: float, turned: int) -> dict:
    """How positions are scaled, in transformers' words; empty where they are not."""
    kind, stretch = keys.get("rope.scaling.type"), keys.get("rope.scaling.attn_factor", 1.0)
    factor = keys.get("rope.scaling.factor") or keys.get("rope.scale_linear") or 1.0
    trained = keys.get("rope.scaling.original_context_length") or keys.get("context_length", 1)
    numbers = ("factor", factor), ("attn_factor", stretch), ("original_context_length", trained), ("freq_base", base)
    for name, value in numbers:
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise _unfollowed(header, f"rope.scaling.{name}")
    tables = tuple(name for name in FACTORS if name in header.tensors)
    if tables in (FACTORS[:1], FACTORS[1:]) and factor == 1.0 and kind in (None, "none", "linear", "longrope"):
        long, short = header.numbers(tables[0]), header.numbers(tables[-1])
        if len(long) != turned // 2 or len(short) != len(long) or not all(0 < f < math.inf for f in long + short):
            raise _unfollowed(header, tables[0])
        if stretch == 1.0 and len(tables) == 1 and (known := _llama3(long, base)):
            return known
        found = {"rope_type": "longrope", "long_factor": long, "short_factor": short, "factor": 1.0}
        return found | {"original_max_position_embeddings": trained, "attention_factor": float(stretch)}
    if kind == "yarn" and not tables:
        found = {name: keys[key] for name in ("beta_fast", "beta_slow") if (key := f"rope.scaling.yarn_{name}") in keys}
        found |= {"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": trained}
        return found | {"attention_factor": stretch * (0.1 * math.log(max(factor, 1.0)) + 1.0)}
    if kind in (None, "none", "linear") and not tables and stretch == 1.0:
        return {} if factor == 1.0 or kind == "none" else {"rope_type": "linear", "factor": factor}
    culprit = "rope.scaling.type" if kind == "longrope" else "rope.scaling.attn_factor"
    raise _unfollowed(header, tables[0] if tables else culprit)


def _llama3(factors: list[float], base: float) -> dict:
    """The scaling of Llama 3.1 and later where it divides frequencies by these factors; else empty."""
    turns = 8192 / (2 * math.pi) * base ** -(np.arange(len(factors)) / len(factors))
    smooth = np.clip((turns - 1) / 3, 0, 1)
    found = {"rope_type": "llama3", "factor": max(factors), "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    found["original_max_position_embeddings"] = 8192
    return found if np.allclose(factors, 1 / ((1 - smooth) / max(factors) + smooth), rtol=1e-4) else {}
