"""What a folder and its config say before anything is loaded."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Tokenizer

from xlv.models.advice import ModelError
from xlv.models.files import check_config, check_folder, check_tokenizer, check_vocabulary, model_files, weight_files
from xlv.models.load import load_model
from xlv.models.weights import identity, resolve

PLAIN = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 4}


def sharded(folder, below="weights"):
    """The weights of a folder in two shards in a folder below, which an index names."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    (folder / below).mkdir()
    names = sorted(weights)
    index = {}
    for shard, part in (("one.safetensors", names[::2]), ("two.safetensors", names[1::2])):
        save_file({name: weights[name] for name in part}, folder / below / shard, metadata={"format": "pt"})
        index |= dict.fromkeys(part, f"{below}/{shard}")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "tokenizer.json",
        "merges.txt",
        "qwen.tiktoken",
        "tokenizer.model.v3",
        "chat_template.jinja",
        "additional_chat_templates/tools.jinja",
        "modeling_own.py",
        "weights/two.safetensors",
    ],
)
def test_a_fingerprint_covers_every_file_that_loading_reads(tiny_folder, name):
    file = sharded(tiny_folder) / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(file.read_bytes() if file.exists() else b"before")
    before = identity(str(tiny_folder)), resolve(str(tiny_folder)).fingerprint
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(file, ns=(0, 0))  # of the same size
    assert identity(str(tiny_folder)) != before[0] and resolve(str(tiny_folder)).fingerprint != before[1]


@pytest.mark.parametrize("name", ["recognition.nc", "README.md", ".gitattributes", "vectors/fairness_sw.safetensors"])
def test_a_fingerprint_passes_over_what_loading_does_not_read(tiny_folder, name):
    before = identity(str(tiny_folder)), resolve(str(tiny_folder)).fingerprint
    (tiny_folder / name).parent.mkdir(exist_ok=True)
    (tiny_folder / name).write_text("written by a run")
    assert (identity(str(tiny_folder)), resolve(str(tiny_folder)).fingerprint) == before


def test_the_weights_that_are_read_are_those_that_transformers_would_read(tiny_folder):
    assert weight_files(tiny_folder) == [tiny_folder / "model.safetensors"]
    whole = (tiny_folder / "model.safetensors").read_bytes()
    sharded(tiny_folder)
    shards = [tiny_folder / "weights" / name for name in ("one.safetensors", "two.safetensors")]
    assert weight_files(tiny_folder) == [tiny_folder / "model.safetensors.index.json", *shards]
    check_folder(tiny_folder)
    assert load_model(str(tiny_folder), dtype="fp32").n_layers == 4
    (tiny_folder / "model.safetensors").write_bytes(whole)
    assert weight_files(tiny_folder) == [tiny_folder / "model.safetensors"]
    assert not set(shards) & set(model_files(tiny_folder))


def test_a_shard_outside_the_folder_or_missing_is_refused(tiny_folder):
    index = sharded(tiny_folder) / "model.safetensors.index.json"
    (tiny_folder / "weights" / "two.safetensors").unlink()
    with pytest.raises(ModelError, match="lacks weights/two.safetensors, which model.safetensors.index.json names"):
        check_folder(tiny_folder)
    for outside in ("../other.safetensors", "/etc/hostname"):
        index.write_text(json.dumps({"weight_map": {"a": outside}}))
        with pytest.raises(ModelError, match="names a file outside its folder"):
            check_folder(tiny_folder)
    for content in ({}, {"weight_map": []}, {"weight_map": {"a": 1}}, []):
        index.write_text(json.dumps(content))
        with pytest.raises(ModelError, match="names no shards|expected an object"):
            check_folder(tiny_folder)
    index.write_text("[" * 100_000)
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        check_folder(tiny_folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors", "chat_template.jinja"])
@pytest.mark.parametrize("kind", ["pipe", "link to nothing", "pointer"])
def test_what_is_no_file_is_never_opened(tiny_folder, name, kind):
    path = tiny_folder / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "pointer":
        path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * '0'}\nsize 1\n")
    else:
        path.symlink_to("nowhere")
    with pytest.raises(
        ModelError, match="git lfs pull" if kind == "pointer" else "is no regular file, or links to none"
    ):
        load_model(str(tiny_folder), dtype="fp32")


def test_an_adapter_names_the_model_to_merge_it_into(tiny_folder):
    (tiny_folder / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    with pytest.raises(ModelError, match="holds an adapter.*merge it into org/base"):
        load_model(str(tiny_folder), dtype="fp32")
    (tiny_folder / "config.json").unlink()
    with pytest.raises(ModelError, match="holds an adapter"):
        resolve(str(tiny_folder))


def test_a_folder_without_weights_or_with_a_distributed_checkpoint_is_refused(tiny_folder):
    whole = tiny_folder / "model.safetensors"
    shutil.copy(whole, tiny_folder / "shard-00001-model-00001-of-00001.safetensors")
    with pytest.raises(ModelError, match="distributed checkpoint"):
        check_folder(tiny_folder)
    (tiny_folder / "shard-00001-model-00001-of-00001.safetensors").unlink()
    whole.unlink()
    check_folder(tiny_folder, whole=False)
    with pytest.raises(ModelError, match="holds no weights"):
        check_folder(tiny_folder)


def test_weights_of_whole_numbers_are_refused_unless_the_config_quantises_them(tiny_folder):
    weights = load_file(tiny_folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    weights[name] = weights[name].view(torch.int32)
    save_file(weights, tiny_folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"{name} is of whole numbers \(I32\)"):
        check_folder(tiny_folder)
    config = json.loads((tiny_folder / "config.json").read_text())
    (tiny_folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "own"}}))
    check_folder(tiny_folder)


def test_a_file_of_weights_that_says_more_than_it_holds_is_refused(tiny_folder):
    file = tiny_folder / "model.safetensors"
    file.write_bytes((2**40).to_bytes(8, "little") + file.read_bytes()[8:])
    with pytest.raises(ModelError, match="header too large. What to do: its files are damaged"):
        load_model(str(tiny_folder))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"is_encoder_decoder": True, "architectures": ["T5Model"]},
            r"encoder-decoder \(T5Model\): expected a decoder",
        ),
        ({"text_config": {"is_encoder_decoder": True}}, "encoder-decoder"),
        ({"is_causal": False}, "tokens see later ones"),
        ({"text_config": {"use_bidirectional_attention": True}}, "tokens see later ones"),
        ({"architectures": ["BertForMaskedLM"]}, r"masked language model \(BertForMaskedLM\)"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"vision_config": {"depth": 10**9}}, "depth is 1000000000"),
        ({"num_local_experts": 10**9}, "num_local_experts is 1000000000"),
        ({"quantization": {"bits": 4}, "quantization_config": {"bits": 4}}, "in the format of MLX"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised by gptq.*`pip install gptqmodel`"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantised by bitsandbytes.*`pip install bits"),
    ],
)
def test_a_config_of_what_cannot_be_read_is_refused_by_its_own_words(config, said, monkeypatch):
    monkeypatch.setattr("xlv.models.files.find_spec", lambda _name: None)
    with pytest.raises(ModelError, match=said):
        check_config(PLAIN | config, "it")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"is_causal": True, "num_nextn_predict_layers": 0, "vision_feature_layer": -2},
        {"hidden_size_per_layer_input": 256, "vocab_size_per_layer_input": 262_144, "max_position_embeddings": 10**7},
        {"num_hidden_layers": 61, "n_routed_experts": 384},
        {"use_bidirectional_attention": "vision"},
        {"quantization_config": {"quant_method": "fp8"}},
    ],
)
def test_a_config_of_a_language_model_is_not_refused(config):
    check_config(PLAIN | config, "it")


@pytest.mark.parametrize("left", [(), ("tekken.json",)])
def test_a_folder_without_a_tokenizer_says_which_file_to_copy(tiny_folder, left):
    for name in ("tokenizer.json", *left):
        (tiny_folder / name).unlink() if name not in left else (tiny_folder / name).write_text("{}")
    with pytest.raises(ModelError, match=("mistral-common only; " if left else "") + "copy tokenizer.json"):
        check_vocabulary(tiny_folder, "it")
    (tiny_folder / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    check_vocabulary(tiny_folder, "it")


def test_a_tokenizer_of_half_its_files_or_without_words_is_refused(tmp_path, tiny):
    (tmp_path / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(["he", *"Ihekptomis,4"])}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nh e\n")
    check_tokenizer(GPT2Tokenizer.from_pretrained(tmp_path), tmp_path, "it")
    half = GPT2Tokenizer.from_pretrained(tmp_path)
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(ModelError, match="lacks merges.txt, or tokenizer.json"):
        check_tokenizer(half, tmp_path, "it")
    empty = GPT2Tokenizer(vocab={"<|endoftext|>": 0}, merges=[])
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="knows no words"):
        check_tokenizer(empty, tmp_path, "it")
