"""Loading: a name, an id, a folder or a file becomes a model in memory, or one line that says what to do."""

from copy import deepcopy
from pathlib import Path

import psutil
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto as auto

from xlv.cache import Progress, fingerprint, silent
from xlv.models.advice import ModelError, check_loaded, explained
from xlv.models.blocks import find_blocks
from xlv.models.files import check_config, check_folder, check_tokenizer, check_vocabulary, read_json, weight_files
from xlv.models.hub import located
from xlv.models.model import DTYPES, Model
from xlv.models.weights import resolve
from xlv.settings import known_dtype


def load_model(
    model: str | Path,
    *,
    dtype: str = "bf16",
    template: str = "raw",
    device: str | None = None,
    trust_remote_code: bool = False,
    progress: Progress = silent,
) -> Model:
    """Load a model by embedded name, preset, Hub id (`org/name` or `org/name@revision`), folder or `.gguf` file.

    `device` is cpu, cuda, cuda:1 …, or auto, which spreads the layers over all there are; default: cuda if it is there.
    Code that a model brings runs only with `trust_remote_code`. Of a model that sees the language model is read.
    Raises ValueError for an unknown name, dtype, device or template, and ModelError (a ValueError) for a model that
    cannot be had: gated, unreachable, damaged, quantised by what is not installed, too large, or not a decoder-only
    language model whose weights are all there and no others.
    """
    if not isinstance(model, str | Path):
        raise ValueError(f"expected a model's name, Hub id, folder or file, got {str(model)[:60]!r}")
    model = str(model)
    known_dtype(dtype)
    device = checked_device(device, dtype)
    source = resolve(model, progress=progress)
    progress(f"loading {model}", 0, 1)
    with explained(model):
        location, folder = located(source.location, source.revision)
        check_folder(folder, whole=Path(location).is_absolute())
        raw = read_json(folder / "config.json")
        check_config(raw, model)
        options = {"revision": source.revision, "trust_remote_code": trust_remote_code}
        tokenizer = _tokenizer(location, folder, model, options)
        config = AutoConfig.from_pretrained(location, **options)
        kind = _kind(config, raw, model, trust_remote_code)
        if config._attn_implementation not in ("eager", "sdpa"):  # of the machine that saved it; others give the same
            config._attn_implementation = None
        memory = _memory(config, kind, folder, dtype, device, model)
    with explained(model, memory):
        network = _network(location, config, kind, dtype, device, model, options)
        blocks = find_blocks(network)
    progress(f"loading {model}", 1, 1)
    if (head := network.get_output_embeddings()) is not None:
        # For a strided input, a matmul on a CPU copies the whole vocabulary matrix, once per prompt.
        head.register_forward_pre_hook(lambda _head, inputs: (inputs[0].contiguous(), *inputs[1:]))
    of_hub = not Path(source.location).is_absolute()
    weights = fingerprint(source.location, folder.name) if of_hub else source.fingerprint  # the folder is a commit's
    loaded = Model(source.name, network, tokenizer, blocks, dtype, "raw", weights)
    return loaded.with_template(template)


def _kind(config: PreTrainedConfig, raw: dict, model: str, trusted: bool) -> type:
    """The class that loads a config's language model; ModelError for what is no decoder-only language model."""
    names = [name for name in raw.get("architectures") or () if isinstance(name, str)] or [type(config).__name__]
    if trusted and "AutoModelForCausalLM" in (raw.get("auto_map") or {}):
        return AutoModelForCausalLM
    named = getattr(getattr(transformers, names[0], None), "config_class", None) or type(config)
    if not {named, *named.sub_configs.values()} & {type(config), *type(config).sub_configs.values()}:
        said = f"its config.json says {names[0]}, but {config.model_type} as model_type"
        raise ModelError(f"{model} cannot be read: {said}")
    causal = getattr(config, "is_decoder", False) or getattr(config, "causal", False)
    if type(config) in auto.MODEL_FOR_MASKED_LM_MAPPING and not causal:
        raise ModelError(f"{model} is a masked language model ({names[0]}): expected a decoder-only model")
    if type(config) in auto.MODEL_FOR_CAUSAL_LM_MAPPING:
        return AutoModelForCausalLM
    if type(config) in auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return auto.AutoModelForImageTextToText
    raise ModelError(f"{model} is a {names[0]}, which holds no language model that xlv can read")


def _memory(config: PreTrainedConfig, kind: type, folder: Path, dtype: str, device: str, model: str) -> str:
    """What loading needs and what there is, in words; ModelError if the config describes far more than the files hold,
    or more than the device has in all."""
    try:
        with torch.device("meta"):
            network = kind.from_config(deepcopy(config), dtype=DTYPES[dtype], trust_remote_code=False)
    except Exception:  # with other words when it is loaded
        return "a smaller dtype (--dtype bf16) or model, or another device"
    count = sum(part.numel() for part in network.parameters())
    stored = sum(path.stat().st_size for path in weight_files(folder))
    if stored and count > 4 * stored:  # weights of two bits, one to a byte of what is needed, are the smallest
        fault = f"cannot load {model}: its config.json describes {count:,} weights, its files hold {stored:,} bytes"
        raise ModelError(f"{fault}. What to do: give weights and a config.json that belong together")
    need = sum(part.nbytes for part in (*network.parameters(), *network.buffers()))
    if device.startswith("cuda"):
        free, total = torch.cuda.mem_get_info(device)
    else:
        free, total = psutil.virtual_memory().available, psutil.virtual_memory().total + psutil.swap_memory().total
    words = f"it needs {need / 1e9:.1f} GB in {dtype}, {device} has {free / 1e9:.1f} GB free"
    words += ": choose a smaller dtype (--dtype bf16), another device or a smaller model"
    if need > total and device != "auto":
        raise ModelError(f"cannot load {model}: {words}")
    return words


def _network(
    location: str, config: PreTrainedConfig, kind: type, dtype: str, device: str, model: str, options: dict
) -> PreTrainedModel:
    """The network with the weights of its files, all of them and no others, in a dtype on a device."""
    quantised = getattr(config, "quantization_config", None)
    in_blocks = isinstance(quantised, dict) and quantised.get("quant_method") in ("fp8", "mxfp8")
    if in_blocks:
        quantised["dequantize"] = True
    spread = {"device_map": "auto"} if device == "auto" else {}
    told = {"output_loading_info": True, "ignore_mismatched_sizes": True}
    network, info = kind.from_pretrained(location, config=config, dtype=DTYPES[dtype], **spread, **options, **told)
    check_loaded(info, network, model)
    if in_blocks:  # what was not quantised stays as it was saved
        kept = (*(network._keep_in_fp32_modules or ()), *(network._keep_in_fp32_modules_strict or ()))
        for name, part in network.named_parameters():
            if part.is_floating_point() and not any(module in name for module in kept):
                part.data = part.data.to(DTYPES[dtype])
    network.eval().requires_grad_(False)
    return network if spread else network.to(device)


def _tokenizer(location: str, folder: Path, model: str, options: dict) -> transformers.PreTrainedTokenizerBase:
    if Path(location).is_absolute():
        check_vocabulary(folder, model, options["trust_remote_code"])
    tokenizer = AutoTokenizer.from_pretrained(location, **options)
    check_tokenizer(tokenizer, folder, model)
    return tokenizer


def checked_device(device: str | None, dtype: str = "fp32") -> str:
    """The device to load on, the best single one for None.

    Raises ValueError for one that is not known, not here, or that does not compute in the dtype.
    """
    if device is None or device == "auto":
        return device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.device(device)
    except RuntimeError:
        raise ValueError(f"unknown device {device!r}: choose cpu, cuda, cuda:1 … or auto") from None
    try:
        probe = torch.ones(2, 2, dtype=DTYPES[dtype], device=device)
        (probe @ probe).cpu()
    except Exception:  # of many kinds
        fault = f"device {device!r} is not here or not in this PyTorch, or does not compute in {dtype}"
        raise ValueError(f"{fault}: choose cpu") from None
    return device


def has_chat_template(model: str, *, trust_remote_code: bool = False) -> bool:
    """Whether a model's tokenizer brings a chat template; loads the tokenizer only. Raises as `load_model`."""
    source = resolve(model)
    with explained(model):
        location, folder = located(source.location, source.revision)
        check_folder(folder, whole=False)
        options = {"revision": source.revision, "trust_remote_code": trust_remote_code}
        return bool(_tokenizer(location, folder, model, options).chat_template)
