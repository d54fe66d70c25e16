"""Folders of a model damaged in structure, from seeds: a sample of what `make fuzz` tries at full size.

Each is refused in one line, or gives the states of the sound model; none with another error, after long, or with states
of its own. Numbers that a damage would put in place of others of the same kind (a weight, an epsilon, an entry of the
vocabulary) cannot be seen and are left alone.
"""

import json
import os
import random
import shutil
import struct
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.damaged import FINE, outcome
from xlv.models.activations import extract
from xlv.models.load import load_model

pytestmark = pytest.mark.fuzz
TEXTS = ["I kept the promise, 42 times.", "Yes."]
ODD = (None, 0, -1, 10**9, 10**30, 1.5, "x", "", True, [], {}, [[]], {"a": {}}, "llama" * 999)
COUNTS = ("num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size", "num_attention_heads", "head_dim")
COUNTS += ("num_key_value_heads", "max_position_embeddings", "num_local_experts", "n_layer", "num_experts")
KINDS = ("mistral", "gemma", "qwen2", "gpt2", "bert", "t5", "no-such-kind", "", None, 7)
CLASSES = (["GPT2LMHeadModel"], ["LlamaForSequenceClassification"], ["BertForMaskedLM"], ["NoSuchClass"], [], "x", [7])


def weights(dice: random.Random, folder: Path) -> str:
    """Names, shapes, numbers and kinds of tensors."""
    path = folder / "model.safetensors"
    found, metadata = load_file(path), dice.choice(({"format": "pt"}, {"format": "pt"}, {}, {"format": "x"}))
    fault = dice.choice(("lose", "rename", "add", "shape", "kind", "prefix", "shift", "empty"))
    for name in dice.sample(sorted(found), dice.choice((1, 1, 2, len(found) // 2))):
        tensor = found[name]
        if fault in ("lose", "rename"):
            found[dice.choice((name[1:], name + "x", name.replace("layers", "blocks") + ".0"))] = found.pop(name)
            found = {key: value for key, value in found.items() if fault == "rename" or key in load_file(path)}
        elif fault == "add":
            more = name.replace("weight", dice.choice(("bias", "lora_A.weight", "weight_scale_inv", "qzeros")))
            found[dice.choice((more, f"model.layers.{dice.choice((4, 99))}.mlp.up_proj.weight"))] = tensor.clone()
        elif fault == "shape":
            wider = torch.cat([tensor, tensor])
            found[name] = dice.choice((tensor[:-1], wider, tensor[None], tensor.flatten()[:-1], tensor.flatten()[:0]))
        elif fault == "kind" and tensor.dim() == 2:
            found[name] = tensor.view(torch.int32)
    if fault in ("prefix", "shift"):
        old, new = {"prefix": ("model.", "module.model."), "shift": ("layers.", "layers.1")}[fault]
        found = {name.replace(old, new): tensor for name, tensor in found.items()}
    found = {} if fault == "empty" else found
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, path, metadata=metadata)
    return f"weights {fault}"


def cut(dice: random.Random, folder: Path) -> str:
    """A file cut short, emptied, or with other bytes where its structure is said."""
    path = folder / dice.choice(("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"))
    data = path.read_bytes()
    fault = dice.choice(("end", "empty", "length", "put in", "zeros"))
    if fault == "end":
        data = data[: dice.randrange(len(data) - 1)].rstrip()
    elif fault == "length":
        data = struct.pack("<Q", dice.choice((0, 1, len(data), 2**40, 2**64 - 1))) + data[8:]
    elif fault == "put in":
        start = dice.randrange(9, 40)
        data = data[:start] + dice.choice((b"\x00", b"\xff", b"{", b"[" * 9999, b'"')) + data[start:]
    path.write_bytes({"empty": b"", "zeros": bytes(len(data))}.get(fault, data))
    return f"{path.name} {fault}"


def config(dice: random.Random, folder: Path) -> str:
    """A config without a key, with another count, kind or class, or of another type."""
    path = folder / "config.json"
    said = json.loads(path.read_text())
    fault = dice.choice(("lose", "count", "count", "kind", "class", "type", "nest", "more"))
    if fault == "lose":
        for key in dice.sample(sorted(said), dice.choice((1, 3))):
            said.pop(key)
    elif fault == "count":
        key = dice.choice(COUNTS)
        said[key] = dice.choice((*ODD, int(said.get(key) or 4) * 2, int(said.get(key) or 4) // 2))
    elif fault == "kind":
        said["model_type"] = dice.choice(KINDS)
    elif fault == "class":
        said["architectures"] = dice.choice(CLASSES)
    elif fault == "type":
        said[dice.choice(sorted(said))] = dice.choice(([], {}, "x", [[]], {"a": {}}))
    elif fault == "nest":
        said = dice.choice(
            ({"text_config": said}, [said], {**said, "text_config": said}, {**said, "vision_config": {}})
        )
    else:
        quantised = {"quant_method": dice.choice(("gptq", "fp8", "own", None, 7))}
        said |= dice.choice(
            ({"quantization_config": quantised}, {"is_encoder_decoder": True}, {"is_causal": False}, {"auto_map": {}})
        )
    path.write_text(json.dumps(said))
    return f"config {fault}"


def tokens(dice: random.Random, folder: Path) -> str:
    """A tokenizer without some of its parts, or with parts of another type."""
    path = folder / dice.choice(("tokenizer.json", "tokenizer.json", "tokenizer_config.json"))
    said = json.loads(path.read_text())
    if path.name == "tokenizer_config.json":
        said[dice.choice((*said, "added_tokens_decoder", "chat_template"))] = dice.choice((7, [], {}, [[]], "NoSuch"))
        fault = "type"
    else:
        fault = dice.choice(("model", "vocab", "few", "splitter", "type"))
        if fault in ("model", "splitter"):
            said.pop({"model": "model", "splitter": "pre_tokenizer"}[fault])
        elif fault == "vocab":
            said["model"]["vocab"] = dice.choice(({}, [], None, {"a": 0}, {"a": -1}, {"a": "b"}))
        elif fault == "few":
            said["model"]["vocab"] = dict(list(said["model"]["vocab"].items())[: dice.randrange(300)])
        else:
            said[dice.choice(("model", "added_tokens", "pre_tokenizer"))] = dice.choice((7, "x", [7], [[]]))
    path.write_text(json.dumps(said))
    return f"{path.name} {fault}"


def files(dice: random.Random, folder: Path) -> str:
    """A file that is gone, or is none."""
    path = folder / dice.choice(("model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"))
    fault = dice.choice(("gone", "pipe", "loop", "folder", "pointer", "adapter", "shards"))
    if fault == "adapter":
        (folder / "adapter_config.json").write_text(dice.choice(("{}", "[", '{"base_model_name_or_path": 7}')))
    elif fault == "shards":
        names = sorted(load_file(folder / "model.safetensors"))
        (folder / "model.safetensors").rename(folder / "one.safetensors")
        shard = dice.choice(("one.safetensors", "two.safetensors", "../one.safetensors", "", ".", 7, None))
        said = {"metadata": {}, "weight_map": dict.fromkeys(names, shard)}
        said.pop(dice.choice(("metadata", "weight_map", "none")), None)
        (folder / "model.safetensors.index.json").write_text(json.dumps(said))
    else:
        path.unlink()
        if fault == "pipe":
            os.mkfifo(path)
        elif fault == "loop":
            path.symlink_to(path.name)
        elif fault == "folder":
            path.mkdir()
        elif fault == "pointer":
            path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n")
    return f"{path.name} {fault}"


def test_a_damaged_folder_is_refused_in_one_line_or_gives_the_states_of_the_sound_one(saved_model, tmp_path, runs):
    sound, faults, outcomes = extract(load_model(str(saved_model), dtype="fp32"), TEXTS), [], Counter()
    for seed in range(runs(300, sample=20)):
        dice, folder = random.Random(seed), tmp_path / str(seed)
        shutil.copytree(saved_model, folder)
        what = f"seed {seed}, {dice.choice((weights, weights, cut, config, config, tokens, files))(dice, folder)}"
        found = outcome(folder, sound, TEXTS)
        outcomes[found] += 1
        faults += [f"{what}: {found}"] if found not in FINE else []
        shutil.rmtree(folder)
    assert not faults
    assert outcomes["refused"] > outcomes["read"] > 0
