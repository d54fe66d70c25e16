"""GGUF files damaged in structure, from seeds: a sample of what `make fuzz` tries at full size.

Each is refused in one line, or gives the states of the sound file; none with another error, after long, or with states
of its own. Numbers and texts in place of others of the same kind (an epsilon, a base, a token) cannot be seen and are
left alone.
"""

import random
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.gguf_file import tensors_of, write_gguf
from tests.models.damaged import FINE, outcome
from xlv.models.activations import extract
from xlv.models.gguf_header import read_header

pytestmark = pytest.mark.fuzz
TEXTS = ["I kept the promise, 42 times.", "Yes."]
ODD = (0, 2**31, 2**32 - 1, "x", "", "llama" * 999, [], [0], [1, 2, 3], ["a"], [[1], [2]], True)
COUNTS = ("block_count", "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv")
KEYS = (*COUNTS, "context_length", "attention.layer_norm_rms_epsilon", "rope.freq_base", "vocab_size")
MORE = {
    "general.type": ("adapter", "mmproj", "vocab", 7),
    "general.architecture": ("qwen2", "gpt2", "clip", "bert", "general", "", 7, ["llama"]),
    "general.alignment": (0, 3, 7, 2**31, "32"),
    "split.count": (2, 2**31, "x"),
    "llama.rope.scaling.type": ("longrope", "", "x", 7),
    "llama.rope.scaling.factor": ("x", [4.0], True, float("inf"), float("nan"), -2.0),
    "llama.rope.dimension_count": (0, 3, 4, 2**31, "x", [8]),
    "llama.attention.key_length": (0, 16, 2**31, "x"),
    "llama.expert_gating_func": (2, "x"),
    "llama.no_such_key": (0, "x", [1]),
    "tokenizer.ggml.pre": ("no-such-rule", 7, []),
    "tokenizer.ggml.model": ("rwkv", "bert", "no-such-model", 7),
    "tokenizer.ggml.tokens": (None, [], ["a"], [1, 2], 7),
    "tokenizer.ggml.merges": (None, ["a"], ["a b c"], [7], ["xx yy"], "x"),
    "tokenizer.ggml.bos_token_id": (None, 2**31, "x", [1]),
    "tokenizer.ggml.token_type": (None, [], ["x"], 7),
}


def counts(dice: random.Random, path: Path, _model) -> str:
    """Numbers that say how much follows: in the beginning, and before names."""
    data, number = path.read_bytes(), dice.choice((0, 1, 7, 2**20, 2**31, 2**40, 2**63, 2**64 - 1))
    names = [b"general.architecture", b"tokenizer.ggml.tokens", b"tokenizer.ggml.merges", b"output_norm.weight"]
    place = dice.choice([4, 8, 16, *(data.index(name) - 8 for name in names), *(data.index(n) + len(n) for n in names)])
    path.write_bytes(data[:place] + struct.pack("<Q", number) + data[place + 8 :])
    return f"{number} at {place}"


def stretches(dice: random.Random, path: Path, _model) -> str:
    """Bytes lost, repeated or put in before the weights, or the end of the file gone."""
    data, header = path.read_bytes(), read_header(path)
    end = min(tensor.place for tensor in header.tensors.values())
    start, stop = sorted(dice.choices(range(end), k=2))
    stop, fault = min(stop, start + 40) + 1, dice.choice(("end", "end", "lose", "repeat", "put in"))
    if fault == "end":
        data = data[: dice.randrange(len(data) - 1)]
    elif fault == "put in":
        data = data[:start] + dice.choice((b"\x00", b"\xff" * 8, bytes(9), b"GGUF", b"\x09\0\0\0")) + data[start:]
    else:
        data = data[:start] + data[stop:] if fault == "lose" else data[:stop] + data[start:]
    path.write_bytes(data)
    return f"{fault} {start}:{stop}"


def keys(dice: random.Random, path: Path, model) -> str:
    """Keys that are gone, of another type, say what no file of a model says, or what changes nothing."""
    found = {f"llama.{key}": None for key in dice.sample(KEYS, dice.choice((1, 2)))}
    if dice.random() < 0.7:
        key = dice.choice((*(f"llama.{key}" for key in COUNTS), *MORE, *MORE))
        found = {key: dice.choice(MORE.get(key, ODD))}
    if dice.random() < 0.2:
        found = dice.choice(({"general.url": "x\n"}, {"llama.rope.scaling.finetuned": True}, {"imatrix.x": ["a"] * 9}))
    write_gguf(path, model.network, model.tokenizer, keys=found)
    return f"keys {str(found)[:200]}"


def tensors(dice: random.Random, path: Path, model) -> str:
    """Tensors that are gone, of another name or shape, or more of them."""
    found = dict(tensors_of(model.network, "llama"))
    fault, name = dice.choice(("lose", "rename", "add", "shape", "half", "none")), dice.choice(sorted(found))
    if fault in ("lose", "rename"):
        weight = found.pop(name)
        new = dice.choice((name + "x", name.replace("weight", "bias"), f"blk.9.{name}", name.upper(), "x" * 999))
        found |= {new: weight} if fault == "rename" else {}
    elif fault == "add":
        more = (
            "blk.0.attn_k.bias",
            "blk.4.ffn_up.weight",
            "rope_freqs.weight",
            "blk.1.attn_q.weight.lora_a",
            "v.blk.0.x",
        )
        found[dice.choice(more)] = np.full(4, dice.choice((0.0, -1.0, np.inf)), "f4")
    elif fault == "shape":
        weight = found[name]
        found[name] = dice.choice((weight[:-1], np.concatenate([weight, weight]), weight[..., None], weight.ravel()))
    elif fault == "half":
        found[name] = found[name].astype(dice.choice(("i4", "i1", "f8")))
    write_gguf(path, model.network, model.tokenizer, tensors={} if fault == "none" else found)
    return f"tensors {fault} {name}"


def test_a_damaged_file_is_refused_in_one_line_or_gives_the_states_of_the_sound_one(tiny, tmp_path, runs):
    model, faults, outcomes = tiny(), [], Counter()
    sound = extract(model, TEXTS)
    for seed in range(runs(150, sample=15)):
        dice, path = random.Random(seed), tmp_path / f"{seed}.gguf"
        write_gguf(path, model.network, model.tokenizer)
        what = f"seed {seed}, {dice.choice((counts, stretches, keys, keys, tensors))(dice, path, model)}"
        found = outcome(path, sound, TEXTS)
        outcomes[found] += 1
        faults += [f"{what}: {found}"] if found not in FINE else []
        path.unlink()
    assert not faults
    assert outcomes["refused"] > outcomes["read"] > 0, outcomes
