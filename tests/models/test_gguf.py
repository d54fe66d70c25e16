"""GGUF files: read as what they say, whole, or refused in one line; converted once, and kept unchanged."""

import math
import os
import shutil
import struct
import time
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as hf

from tests.conftest import GROUPED
from tests.gguf_file import tensors_of, write_gguf
from xlv.models import gguf
from xlv.models.activations import extract
from xlv.models.advice import ModelError
from xlv.models.gguf import converted
from xlv.models.gguf_config import follow
from xlv.models.gguf_header import Header, read_header
from xlv.models.load import load_model
from xlv.models.names import named
from xlv.models.weights import identity, resolve

TEXTS = ["I kept the promise.", "Yes.", "We paid 1,250 for nothing, as my neighbour had asked me to before."]


def states(network, tokenizer) -> torch.Tensor:
    """Last-token states of TEXTS, each read alone: texts x layers x width."""
    read = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            read.append(torch.stack([h[0, -1] for h in network(ids, output_hidden_states=True).hidden_states[1:]]))
    return torch.stack(read)


def network_of(config) -> hf.PreTrainedModel:
    torch.manual_seed(0)
    return hf.AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)


def refused(path, words: str) -> str:
    """The one line in which a file is refused, within seconds of work; nothing of it stays in the cache."""
    start = time.process_time()
    with pytest.raises(ModelError, match=words) as caught:
        resolve(str(path))
    assert time.process_time() - start < 5 and "\n" not in str(caught.value) and str(path) in str(caught.value)
    kept = converted("").parent
    assert not kept.exists() or not list(kept.glob("[!.]*"))
    return str(caught.value)


# --- one model in several files ---------------------------------------------------------------------------------------


def test_all_files_of_a_split_model_are_read_whichever_is_named(tiny, tmp_path):
    model = tiny()
    write_gguf(tmp_path / "tiny.gguf", model.network, model.tokenizer, split_max_tensors=13)
    first, *_, last = files = sorted(tmp_path.glob("tiny-*.gguf"))
    assert len(files) == 3 and named(str(last)).label == "tiny" and identity(str(first)) == identity(str(last))
    source = resolve(str(last))
    assert source == resolve(str(first)) and source.name == "tiny"
    loaded = load_model(str(first), dtype="fp32")
    torch.testing.assert_close(extract(loaded, TEXTS), extract(model, TEXTS), atol=1e-6, rtol=1e-5)
    before = identity(str(first))
    os.utime(last, ns=(1, 1))
    assert identity(str(first)) != before


def test_a_split_model_that_lacks_a_file_says_which(tiny, tmp_path):
    model = tiny()
    write_gguf(tmp_path / "tiny.gguf", model.network, model.tokenizer, split_max_tensors=13)
    (tmp_path / "tiny-00002-of-00003.gguf").rename(tmp_path / "elsewhere.gguf")
    refused(tmp_path / "tiny-00001-of-00003.gguf", r"in 3 files, 2 of which.*put tiny-00002-of-00003\.gguf beside it")
    refused(tmp_path / "elsewhere.gguf", "architecture None")
    (tmp_path / "tiny-00001-of-00003.gguf").rename(tmp_path / "alone.gguf")
    refused(tmp_path / "alone.gguf", r"lacks .*blk\.")
    write_gguf(
        tmp_path / "less.gguf", model.network, model.tokenizer, keys={"llama.block_count": 5}, split_max_tensors=30
    )
    refused(tmp_path / "less-00002-of-00002.gguf".replace("00002-of", "00001-of"), r"lacks blk\.4\.")
    shutil.copy(tmp_path / "tiny-00003-of-00003.gguf", tmp_path / "tiny-00002-of-00003.gguf")
    shutil.copy(tmp_path / "alone.gguf", tmp_path / "tiny-00001-of-00003.gguf")
    refused(tmp_path / "tiny-00001-of-00003.gguf", "tensors, not the 39 of one model")


def test_the_file_that_is_named_is_read_not_one_of_its_name_here(tiny, tmp_path, monkeypatch):
    here, model = tiny("llama"), tiny("llama")
    here.network.model.embed_tokens.weight += 1
    (tmp_path / "there").mkdir()
    write_gguf(tmp_path / "there" / "tiny.GGUF", model.network, model.tokenizer)
    write_gguf(tmp_path / "tiny.GGUF", here.network, here.tokenizer)
    monkeypatch.chdir(tmp_path)
    loaded = load_model("there/tiny.GGUF", dtype="fp32")
    assert loaded.name == named("there/tiny.GGUF").label == "tiny"
    torch.testing.assert_close(extract(loaded, TEXTS), extract(model, TEXTS), atol=1e-6, rtol=1e-5)


# --- what is no model, or not the one that its architecture says ------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"general.type": "adapter"}, "LoRA adapter.* merge it into its model"),
        ({"general.type": "mmproj"}, "image part of a model.* give the language model's file"),
        ({"general.type": "imatrix"}, "holds no model"),
        ({"general.architecture": "rwkv7"}, "architecture rwkv7, of which transformers reads no language model"),
        ({"general.architecture": "t5"}, "architecture t5, of which transformers reads no language model"),
        ({"llama.block_count": 10**9}, "39 tensors for llama.block_count 1000000000"),
        ({"llama.block_count": 0}, "block_count 0"),
        ({"llama.block_count": "four"}, "block_count four"),
        ({"llama.block_count": "a\nb" * 999}, "block_count abab.* …"),
        ({"general.architecture": "x\x1b[2J\n" * 99}, r"architecture x\[2Jx\[2J.* …, of which"),
        ({"llama.attention.head_count": None}, "lacks the key attention.head_count"),
        ({"llama.attention.layer_norm_rms_epsilon": None}, "lacks the key attention.layer_norm_epsilon"),
        ({"llama.block_count": 3}, r"without a place for it in the model, blk\.3\."),
        ({"llama.block_count": 5}, r"lacks blk\.4\."),
        ({"llama.feed_forward_length": 10**9}, r"in another size blk\.0\.ffn_gate\.weight"),
        ({"llama.vocab_size": 2**31}, r"in another size .*token_embd\.weight"),
        ({"llama.attention.head_count": 0}, "cannot load .*What to do: "),
        ({"tokenizer.ggml.model": "rwkv"}, "tokenizer 'rwkv'"),
        ({"tokenizer.ggml.pre": "kimi-k2"}, r"tokenizer\.ggml\.pre kimi-k2"),
        ({"llama.attention.causal": False}, "attention.causal = False"),
        ({"llama.attention.sliding_window": 64}, "attention.sliding_window = 64"),
        ({"llama.attention.scale": 0.5}, "attention.scale = 0.5"),
        ({"llama.residual_scale": 0.5}, "residual_scale = 0.5"),
        ({"llama.rope.dimension_count": 4, "llama.attention.key_length": 8}, "rope.dimension_count = 4"),
        ({"llama.rope.scaling.type": "longrope"}, "rope.scaling.type = longrope"),
        ({"llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": math.nan}, "rope.scaling.factor = nan"),
        ({"llama.rope.scaling.attn_factor": 1.2}, "rope.scaling.attn_factor = 1.2"),
        ({"llama.rope.scaling.yarn_log_multiplier": 0.1}, "yarn_log_multiplier"),
    ],
)
def test_what_cannot_be_followed_is_named_in_one_line(tiny, tmp_path, keys, words):
    model = tiny()
    write_gguf(tmp_path / "tiny.gguf", model.network, model.tokenizer, keys=keys)
    assert "copy it again" not in refused(tmp_path / "tiny.gguf", words)


@pytest.mark.parametrize(
    ("less", "more", "words"),
    [
        ("blk.2.ffn_up.weight", {}, r"lacks blk\.2\.ffn_up\.weight;"),
        ("output_norm.weight", {}, r"lacks output_norm\.weight;"),
        ("output.weight", {}, ""),  # a tied head
        ("", {"blk.1.attn_q.bias": 32}, r"without a place for it in the model, blk\.1\.attn_q\.bias;"),
        ("", {"blk.0.attn_q.scale": 1}, r"without a place for it in the model, blk\.0\.attn_q\.scale;"),
        ("", {"blk.0.ffn_gate_exps.weight": 64}, r"blk\.0\.ffn_gate_exps\.weight;"),
        ("", {"rope_factors_long.weight": 4}, r"rope_factors_long\.weight"),
        ("", {"rope_freqs.weight": 2}, r"rope_freqs\.weight"),
        ("", {"blk.0.attn_rot_embd.weight": 4}, ""),  # frequencies that are computed
    ],
)
def test_a_file_holds_the_tensors_of_its_model_and_no_others(tiny, tmp_path, less, more, words):
    model, path = tiny(), tmp_path / "tiny.gguf"
    tensors = tensors_of(model.network, "llama") | {name: np.ones(size, "f4") for name, size in more.items()}
    tensors.pop(less, None)
    write_gguf(path, model.network, model.tokenizer, tensors=tensors)
    if words:
        refused(path, words)
    else:
        torch.testing.assert_close(
            states(load_model(str(path), dtype="fp32").network, model.tokenizer),
            states(model.network, model.tokenizer),
            atol=1e-6,
            rtol=1e-5,
        )


# --- positions --------------------------------------------------------------------------------------------------------


def llama3_factors(base: float, half: int, factor: float) -> np.ndarray:
    """What llama.cpp writes for Llama 3.1 and later."""
    found = []
    for k in range(half):
        wave = 2 * math.pi * base ** (k / half)
        smooth = (8192 / wave - 1) / 3
        found.append(1 if wave < 2048 else factor if wave > 8192 else 1 / ((1 - smooth) / factor + smooth))
    return np.array(found, "f4")


YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 64}
FREE, LONG = [1.0, 1.5, 4.0, 7.0], [2.0, 3.0]
SCALED = {  # by kind in transformers: architecture, keys, factors, what they are in transformers
    "linear": ("llama", {"rope.scaling.type": "linear", "rope.scaling.factor": 8.0}, {}, {"factor": 8.0}),
    "linear, older": ("llama", {"rope.scale_linear": 2.0}, {}, {"factor": 2.0}),
    "default, scaled by none": ("llama", {"rope.scaling.type": "none", "rope.scaling.factor": 8.0}, {}, {}),
    "default, of another base": ("llama", {"rope.freq_base": 777.0}, {}, {"rope_theta": 777.0}),
    "llama3": (
        "llama",
        {"rope.freq_base": 5e5},
        {"rope_freqs.weight": llama3_factors(5e5, 4, 32.0)},
        {"rope_theta": 5e5, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
        | {"original_max_position_embeddings": 8192},
    ),
    "longrope, of free factors": (
        "llama",
        {},
        {"rope_freqs.weight": np.array(FREE, "f4")},
        {"short_factor": FREE, "long_factor": FREE, "attention_factor": 1.0, "original_max_position_embeddings": 9},
    ),
    "longrope, of parts of heads": (
        "phi3",
        {"rope.dimension_count": 4, "rope.scaling.original_context_length": 64, "rope.scaling.attn_factor": 1.25},
        {"rope_factors_long.weight": np.array(LONG, "f4"), "rope_factors_short.weight": np.array(FREE[:2], "f4")},
        {"short_factor": FREE[:2], "long_factor": LONG, "attention_factor": 1.25, "partial_rotary_factor": 0.5}
        | {"original_max_position_embeddings": 64},
    ),
    "yarn": ("qwen2", YARN, {}, {"factor": 4.0, "original_max_position_embeddings": 64}),
    "yarn, with all its numbers": (
        "qwen2",
        YARN
        | {"rope.scaling.attn_factor": 1.25, "rope.scaling.yarn_beta_fast": 9.0, "rope.scaling.yarn_beta_slow": 2.0},
        {},
        {"factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 9, "beta_slow": 2}
        | {"attention_factor": 1.25 * (0.1 * math.log(4) + 1)},
    ),
}


@pytest.mark.parametrize("case", SCALED)
def test_positions_are_scaled_as_the_file_says(tiny, tmp_path, case):
    architecture, keys, factors, rope = SCALED[case]
    model, path = tiny(architecture), tmp_path / "tiny.gguf"
    config, kind = deepcopy(model.network.config), case.split(",")[0]
    config.rope_parameters = {"rope_theta": 10000.0, "rope_type": kind} | rope
    if architecture == "phi3":
        config.original_max_position_embeddings = 64
    expected = network_of(config)
    expected.load_state_dict(model.network.state_dict())
    keys = {f"{architecture}.{key}": value for key, value in keys.items()}
    write_gguf(path, expected, model.tokenizer, architecture, keys, tensors_of(expected, architecture) | factors)
    loaded = load_model(str(path), dtype="fp32").network
    assert loaded.config.rope_parameters["rope_type"] == kind
    read = states(loaded, model.tokenizer)
    torch.testing.assert_close(read, states(expected, model.tokenizer), atol=1e-6, rtol=1e-5)
    assert ((read - states(model.network, model.tokenizer)).abs().max() > 1e-4) == (case != "default, scaled by none")


def test_of_gemma_3_the_global_layers_alone_are_scaled(tokenizer, tmp_path):
    config = hf.Gemma3TextConfig(**GROUPED | {"num_hidden_layers": 6}, head_dim=8, sliding_window=64)
    config.rope_parameters["full_attention"] |= {"rope_theta": 1e6, "rope_type": "linear", "factor": 8.0}
    expected = network_of(config)
    keys = {"attention.key_length": 8, "attention.value_length": 8, "attention.sliding_window": 64}
    keys |= {"rope.freq_base": 1e6, "rope.scaling.type": "linear", "rope.scaling.factor": 8.0}
    write_gguf(tmp_path / "g.gguf", expected, tokenizer, "gemma3", {f"gemma3.{key}": keys[key] for key in keys})
    loaded = load_model(str(tmp_path / "g.gguf"), dtype="fp32").network
    assert loaded.config.rope_parameters == config.rope_parameters and "full_attention" in config.layer_types
    torch.testing.assert_close(states(loaded, tokenizer), states(expected, tokenizer), atol=1e-6, rtol=1e-5)


def test_what_no_key_says_of_the_largest_gemma_follows_from_its_depth():
    keys = {"general.architecture": "gemma2", "gemma2.embedding_length": 32, "gemma2.attention.head_count": 4}
    keys["gemma2.attention.layer_norm_rms_epsilon"] = 1e-6
    for layers, scalar in ((46, 8), (42, 256)):
        config = hf.Gemma2Config(**GROUPED | {"num_hidden_layers": layers}, head_dim=8)
        follow(config, Header(Path("g.gguf"), keys, {}, 0, Path("g.gguf")))
        assert config.query_pre_attn_scalar == scalar


# --- texts ------------------------------------------------------------------------------------------------------------

LINE = "It's 12345 元，我有3只猫。\n\n  Ok!?"
WAYS = {
    "gpt-2": ["It", "'s", " 12345", " 元", "，", "我有", "3", "只猫", "。", "\n\n ", " Ok", "!?"],
    "smollm": ["It", "'s", " ", *"12345", " 元", "，", "我有", "3", "只猫", "。", "\n\n ", " Ok", "!?"],
    "command-r": ["It", "'s", " ", *"12345", " 元", "，", "我有", "3", "只猫", "。", "\n\n ", " Ok", "!?"],
    "bloom": ["It's", " 12345", " 元", "，", "我有3只猫", "。\n\n ", " Ok", "!?"],
    "llama-bpe": ["It", "'s", " ", "123", "45", " 元", "，我有", "3", "只猫", "。\n\n", " ", " Ok", "!?"],
    "chatglm-bpe": ["It", "'s", " ", "123", "45", " 元", "，我有", "3", "只猫", "。\n\n", " ", " Ok", "!?"],
    "qwen2": ["It", "'s", " ", *"12345", " 元", "，我有", "3", "只猫", "。\n\n", " ", " Ok", "!?"],
    "tekken": ["It", "'s", " ", *"12345", " 元", "，我有", "3", "只猫", "。\n\n", " ", " Ok", "!?"],
    "gpt-4o": ["It's", " ", "123", "45", " 元", "，我有", "3", "只猫", "。\n\n", " ", " Ok", "!?"],
    "deepseek-llm": "It|'|s| |12345| |元|，|我有|3|只猫|。|\n|\n| | Ok|!?".split("|"),
    "deepseek-coder": "It|'|s| |1|2|3|4|5| |元|，|我有|3|只猫|。|\n|\n| | Ok|!?".split("|"),
    "deepseek-v3": ["It", "'s", " ", "123", "45", " ", "元", "，", "我有", "3", "只猫", "。\n\n", " ", " Ok", "!?"],
    "default": ["It", "'", "s", " ", "123", "45", " 元", "，", "我有", "3", "只猫", "。", "\n\n ", " Ok", "!?"],
}


@pytest.mark.parametrize("way", WAYS)
def test_texts_are_cut_as_was_published_for_the_model(tiny, tmp_path, way):
    model = tiny()
    write_gguf(tmp_path / "tiny.gguf", model.network, model.tokenizer, keys={"tokenizer.ggml.pre": way})
    tokenizer = hf.AutoTokenizer.from_pretrained(resolve(str(tmp_path / "tiny.gguf")).location)
    cut = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(LINE)
    assert [LINE[start:end] for _, (start, end) in cut] == WAYS[way]
    pieces = (model.tokenizer.backend_tokenizer.model.tokenize(letters) for letters, _ in cut)
    ids = [token.id for piece in pieces for token in piece]
    begun = [1] if way in ("llama-bpe", "tekken") else []
    if way not in ("llama-bpe", "tekken"):  # where a piece that is a token stays whole
        assert tokenizer(LINE)["input_ids"] == ids
    assert tokenizer(LINE)["input_ids"][: len(begun)] == begun and tokenizer.decode(ids) == LINE


@pytest.mark.parametrize(("said", "first"), [({}, [1]), ({"tokenizer.ggml.add_bos_token": False}, [])])
def test_texts_of_llama_3_begin_with_its_mark_unless_the_file_says_otherwise(tiny, tmp_path, said, first):
    model = tiny()
    keys = {"tokenizer.ggml.pre": "llama-bpe"} | said
    write_gguf(tmp_path / "tiny.gguf", model.network, model.tokenizer, keys=keys)
    bare = model.tokenizer("Yes.")["input_ids"]
    assert load_model(str(tmp_path / "tiny.gguf"), dtype="fp32").token_ids(["Yes."]) == [first + bare]


@pytest.mark.parametrize(("said", "first"), [({}, 3), ({"tokenizer.ggml.add_space_prefix": False}, 4)])
def test_a_space_is_put_in_front_of_texts_unless_the_file_says_otherwise(tiny, tmp_path, said, first):
    words = ["<unk>", "<s>", "</s>", "▁a", "a", "▁"] + [f"w{k}" for k in range(394)]
    keys = {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": words, "tokenizer.ggml.merges": None}
    keys |= {"tokenizer.ggml.scores": [-float(k) for k in range(400)], "tokenizer.ggml.add_bos_token": False}
    write_gguf(tmp_path / "tiny.gguf", tiny().network, tiny().tokenizer, keys=keys | said)
    tokenizer = hf.AutoTokenizer.from_pretrained(resolve(str(tmp_path / "tiny.gguf")).location)
    assert tokenizer("a a")["input_ids"] == [first, 3]


def test_a_way_to_split_that_a_class_of_tokenizers_would_lose_is_refused(tiny, tmp_path):
    model = tiny("qwen2")
    write_gguf(tmp_path / "tiny.gguf", model.network, model.tokenizer, "qwen2", {"tokenizer.ggml.pre": "bloom"})
    refused(tmp_path / "tiny.gguf", "splits texts as bloom does")


# --- hostile files ----------------------------------------------------------------------------------------------------


def text(said: str) -> bytes:
    return struct.pack("<Q", len(said)) + said.encode()


def beginning(n_tensors: int, n_keys: int, rest: bytes, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys) + rest


KIND = text("general.architecture") + struct.pack("<I", 8) + text("llama")
NESTED = text("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 10_000
VECTOR = text("t") + struct.pack("<IQIQ", 1, 64, 0, 0)
HOSTILE = {
    "empty": b"",
    "cut in the magic": b"GG",
    "of another version": beginning(0, 0, b"", 1),
    "of the other byte order": beginning(0, 0, b"", 3 << 24),
    "2^60 keys": beginning(0, 2**60, KIND),
    "2^60 tensors": beginning(2**60, 1, KIND),
    "an endless string": beginning(0, 1, struct.pack("<Q", 2**63) + b"general"),
    "an endless array": beginning(0, 1, text("a") + struct.pack("<IIQ", 9, 4, 2**61)),
    "an endless array of strings": beginning(0, 1, text("a") + struct.pack("<IIQ", 9, 8, 2**61)),
    "arrays in arrays": beginning(0, 1, NESTED),
    "an unknown type": beginning(0, 1, text("a") + struct.pack("<I", 77)),
    "a key twice": beginning(0, 2, KIND + KIND),
    "a key of two lines": beginning(0, 1, text("a\nb") + struct.pack("<II", 4, 0)),
    "no text": beginning(0, 1, struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc" + struct.pack("<I", 7) + b"\0"),
    "2^31 dimensions": beginning(1, 1, KIND + text("t") + struct.pack("<I", 2**31)),
    "a tensor of 2^120 values": beginning(1, 1, KIND + text("t") + struct.pack("<IQQIQ", 2, 2**60, 2**60, 0, 0)),
    "an unknown kind of tensor": beginning(1, 1, KIND + text("t") + struct.pack("<IQIQ", 1, 64, 999, 0)),
    "a row of half a block": beginning(1, 1, KIND + text("t") + struct.pack("<IQIQ", 1, 33, 2, 0)),
    "no data": beginning(1, 1, KIND + VECTOR),
    "tensors in the same place": beginning(
        200, 1, KIND + b"".join(VECTOR.replace(text("t"), text(f"t{k:03d}")) for k in range(200)) + bytes(512)
    ),
    "an alignment of 0": beginning(
        1, 2, KIND + text("general.alignment") + struct.pack("<II", 4, 0) + VECTOR + bytes(512)
    ),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_file_ends_in_one_line_at_once(tmp_path, fault):
    path = tmp_path / "bad.gguf"
    path.write_bytes(HOSTILE[fault])
    refused(path, "cannot be read as a GGUF model .*: fetch or copy it again")


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.gguf")
    os.mkfifo(tmp_path / "tiny-00001-of-00002.gguf")
    (tmp_path / "tiny-00002-of-00002.gguf").write_bytes(b"GGUF")
    refused(tmp_path / "pipe.gguf", "no file")
    refused(tmp_path / "tiny-00002-of-00002.gguf", "put tiny-00001-of-00002.gguf beside it")


def test_a_header_is_read_as_it_was_written(tiny, tmp_path):
    model = tiny()
    write_gguf(tmp_path / "tiny.gguf", model.network, model.tokenizer, keys={"llama.flags": [True, False]})
    header, tensors = read_header(tmp_path / "tiny.gguf"), tensors_of(model.network, "llama")
    assert {name: tensor.shape for name, tensor in header.tensors.items()} == {n: t.shape for n, t in tensors.items()}
    assert header.own_keys()["block_count"] == 4 and header.own_keys()["flags"] == [True, False]
    assert header.numbers("output_norm.weight") == tensors["output_norm.weight"].tolist()


# --- folders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("fault", ["changed", "missing"])
def test_a_file_of_a_converted_model_that_is_not_as_written_is_said_and_made_anew(tiny, tmp_path, name, fault):
    model, path = tiny(), tmp_path / "tiny.gguf"
    write_gguf(path, model.network, model.tokenizer)
    file = converted(resolve(str(path)).location.rsplit("/", 1)[1][:16]) / name
    whole = file.read_bytes()
    file.unlink() if fault == "missing" else file.write_bytes(whole + b" ")
    with pytest.raises(ModelError, match="was damaged and has been removed: run the same command again"):
        resolve(str(path))
    assert resolve(str(path)).location == str(file.parent) and file.read_bytes() == whole


def test_a_model_larger_than_the_memory_is_refused_before_it_is_read(tiny, tmp_path, monkeypatch):
    write_gguf(tmp_path / "tiny.gguf", tiny().network, tiny().tokenizer)
    monkeypatch.setattr(gguf.psutil, "virtual_memory", lambda: SimpleNamespace(total=100_000))
    monkeypatch.setattr(gguf.psutil, "swap_memory", lambda: SimpleNamespace(total=0))
    refused(tmp_path / "tiny.gguf", r"needs 0\.0 GB to be read in fp32, this machine has 0\.0 GB")
