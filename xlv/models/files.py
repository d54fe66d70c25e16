"""What a model's folder and its config say before anything is loaded: which files count, what cannot be read."""

import json
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

from safetensors import safe_open

from xlv.models.advice import ModelError

_TABLE = tomllib.loads(Path(__file__).with_name("files.toml").read_text(encoding="utf-8"))
_NO_PART = {*_TABLE["weights"], *_TABLE["added"]}
_VOCABULARY = re.compile(
    r"tokenizer\.(json|model.*)|.*vocab.*|merges\.txt|.*\.(model|tiktoken|spm|bpe|codes)|dict\.txt"
)
_POINTER = b"version https://git-lfs.github.com/spec/"
_PROBE = "I kept the promise"
_REMEDY = "copy tokenizer.json (or tokenizer.model) from the model that this one was trained from"


def read_json(path: Path) -> dict:
    """A JSON object from a file; ModelError for what is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
        raise ValueError(f"a {type(content).__name__}, expected an object")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}): fetch or copy it again") from None


def weight_files(folder: Path) -> list[Path]:
    """The files of weights that transformers reads, the index of shards first; none if the folder holds none.

    Raises ModelError for an index that is none, or whose shards lie outside the folder or are not there.
    """
    config = folder / "config.json"
    named = read_json(config).get("transformers_weights") if config.is_file() else None
    names = [named, *_TABLE["whole"]] if isinstance(named, str) else _TABLE["whole"]
    whole = next((name for name in names if (folder / name).is_file()), None)
    if whole is None:
        return []
    if not whole.endswith(".index.json"):
        return [folder / whole]
    shards = read_json(folder / whole).get("weight_map")
    if not isinstance(shards, dict) or not shards or not all(isinstance(name, str) for name in shards.values()):
        raise ModelError(f"{folder / whole} names no shards of weights: fetch or copy it again")
    found = [folder / whole]
    for name in sorted(set(shards.values())):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ModelError(f"{folder / whole} names a file outside its folder, {name}: xlv reads no such model")
        if not (folder / name).is_file():
            raise ModelError(f"{folder} lacks {name}, which {whole} names: fetch or copy the missing file")
        found.append(folder / name)
    return found


def model_files(folder: Path) -> list[Path]:
    """Every file that loading from a folder reads, sorted: config, tokenizer, templates, code, weights; no results."""
    files = {path for path in folder.iterdir() if path.suffix not in _NO_PART and path.name[0] not in "._"}
    files |= {*folder.glob("additional_chat_templates/*.jinja"), *folder.glob("_*.py")}
    try:
        files |= {*weight_files(folder)}
    except ModelError:  # said when it is loaded; until then the index distinguishes it
        files |= {*folder.glob("*.safetensors")}
    return sorted(path for path in files if path.is_file())


def check_folder(folder: Path, *, whole: bool = True) -> None:
    """Raise ModelError, naming the remedy, unless a folder holds files, tokenizer and (`whole`) weights to read.

    Nothing is opened that is no regular file; of each the first bytes only are read.
    """
    for path in folder.iterdir():
        part = path.suffix not in _NO_PART or path.name in _TABLE["whole"]
        if part and path.name[0] != "." and not path.is_file() and not path.is_dir():
            raise ModelError(f"{path} is no regular file, or links to none: expected the files of a model")
        if re.match(r"shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors$", path.name):
            raise ModelError(f"{folder} holds a distributed checkpoint ({path.name}): save it by `save_pretrained`")
    weights = weight_files(folder)
    for path in model_files(folder):
        with open(path, "rb") as stream:
            if stream.read(len(_POINTER)) == _POINTER:
                raise ModelError(f"{path} is a pointer of Git LFS and not the file: fetch it by `git lfs pull`")
    if whole and not weights:
        raise ModelError(
            f"{folder} holds no weights: expected model.safetensors, its index and shards, or a .gguf file"
        )
    if weights and "quantization_config" not in json.dumps(read_json(folder / "config.json")):
        for path in weights:
            if path.suffix == ".safetensors":
                _check_numbers(path)


def _check_numbers(path: Path) -> None:
    """Whole numbers are no weights, but of a quantised checkpoint, whose config says so, or of a mask."""
    with safe_open(path, framework="np") as file:
        for name in file.keys():
            part = file.get_slice(name)
            if part.get_dtype()[0] in "IU" and len(part.get_shape()) == 2 and name.endswith("weight"):
                fault = f"{name} is of whole numbers ({part.get_dtype()})"
                raise ModelError(f"{path}: {fault}, and its config.json names no quantisation")


def check_adapter(folder: Path) -> None:
    """Raise ModelError for a folder with an adapter, which is no model without the one that it changes."""
    if (folder / "adapter_config.json").is_file():
        base = read_json(folder / "adapter_config.json").get("base_model_name_or_path") or "its base model"
        remedy = f"merge it into {base} (`merge_and_unload` of peft), save that and give its folder"
        raise ModelError(f"{folder} holds an adapter (adapter_config.json), no model of its own: {remedy}")


def check_config(raw: dict, what: str) -> None:
    """Raise ModelError for a config.json that describes no decoder-only model, or one whose weights nothing here reads.

    Decided on the file as it is: loading as a causal language model would lose the words that say otherwise.
    """
    text = raw.get("text_config") if isinstance(raw.get("text_config"), dict) else {}
    names = [name for name in raw.get("architectures") or [] if isinstance(name, str)]
    kind = names[0] if names else raw.get("model_type")
    ahead = [p.get("is_causal") is False or p.get("use_bidirectional_attention") in (True, "all") for p in (raw, text)]
    ahead += ["Bidirectional" in name or "BiModel" in name for name in names]
    faults = {
        "an encoder-decoder": any(part.get("is_encoder_decoder") is True for part in (raw, text)),
        "a bidirectional model, whose tokens see later ones": any(ahead),
        "a masked language model": names and all("MaskedLM" in name for name in names),
    }
    if said := [fault for fault, holds in faults.items() if holds]:
        raise ModelError(f"{what} is {said[0]} ({kind}): expected a decoder-only model")
    _check_counts(raw, what)
    _check_method(raw, text, what)


def _check_counts(raw: dict, what: str) -> None:
    """No layers, or more layers and experts than there ever were: building them would take for ever."""
    layers, experts = 1, 1
    for key, said in re.findall(r'"(\w+)": (-?\d+)[,}]', json.dumps(raw)):
        count, deep = int(said), re.search(r"(^|_)n?_?(layers?|blocks|depth)$", key)
        layers, experts = max(layers, count if deep else 1), max(experts, count if "expert" in key else 1)
        if layers > 1000 or layers * experts > 100_000 or (key in _TABLE["depths"] and count < 1):
            raise ModelError(f"{what} cannot be read: its config.json says {key} is {count}")


def _check_method(raw: dict, text: dict, what: str) -> None:
    quantised = raw.get("quantization_config") or text.get("quantization_config") or {}
    method = quantised.get("quant_method") if isinstance(quantised, dict) else None
    if raw.get("quantization") and not method:
        fault = "has quantised weights in the format of MLX, which transformers does not read"
        raise ModelError(f"{what} {fault}: give the model that it was converted from")
    package, module = _TABLE["readers"].get(str(method), ("", ""))
    if module and find_spec(module.split(".")[0]) is None:
        remedy = f"`pip install {package}`, which reads such weights, or give the model before quantisation"
        raise ModelError(f"{what} is quantised by {method}, which cannot be read here: {remedy}")


def check_vocabulary(folder: Path, what: str, own_code: bool = False) -> None:
    """Raise ModelError for a folder without a file of which a tokenizer can be made."""
    names = [path.name for path in folder.iterdir() if path.is_file()]
    settings = read_json(folder / "tokenizer_config.json") if "tokenizer_config.json" in names else {}
    if own_code or "byt5" in str(settings.get("tokenizer_class")).lower() or any(map(_VOCABULARY.fullmatch, names)):
        return
    more = "its tekken.json is read by mistral-common only; " if "tekken.json" in names else ""
    raise ModelError(f"{what} holds no tokenizer, tokenizer.json or tokenizer.model is missing: {more}{_REMEDY}")


def check_tokenizer(tokenizer, folder: Path, what: str) -> None:
    """Raise ModelError for a tokenizer made of too few files, one without a vocabulary, or one that reads no text."""
    files = tokenizer.vocab_files_names
    whole = files.get("tokenizer_file", "tokenizer.json")
    parts = [name for key, name in files.items() if key.endswith(("vocab_file", "merges_file"))]
    lacking = [name for name in parts if not (folder / name).is_file()]
    if not (folder / whole).is_file() and lacking and len(parts) > 1:
        raise ModelError(f"{what} has no tokenizer to read: {folder} lacks {' and '.join(lacking)}, or {whole}")
    ids = tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
    if not ids or set(ids) <= {tokenizer.unk_token_id}:
        raise ModelError(f"the tokenizer of {what} knows no words: {_REMEDY}")
    spaced = any(token.startswith(("\u0120", "\u2581")) and len(token) > 1 for token in tokenizer.get_vocab())
    back = " ".join(tokenizer.decode(ids).split())
    # Of tokenizers whose tokens do not hold the spaces, words may come joined.
    if spaced and tokenizer.unk_token_id not in ids and back.lower() != _PROBE.lower():
        raise ModelError(f"the tokenizer of {what} makes {back[:80]!r} of {_PROBE!r}: {_REMEDY}")
