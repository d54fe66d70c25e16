"""Loading: a name, an id, a folder or a file becomes a model in memory, or one line that says what to do."""

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from xlv.cache import Progress, fingerprint, silent
from xlv.models.advice import explained
from xlv.models.blocks import find_blocks
from xlv.models.model import DTYPES, Model
from xlv.models.weights import resolve
from xlv.settings import known_dtype


def load_model(
    model: str,
    *,
    dtype: str = "bf16",
    template: str = "raw",
    device: str | None = None,
    trust_remote_code: bool = False,
    progress: Progress = silent,
) -> Model:
    """Load a model by embedded name, preset, Hub id (`org/name` or `org/name@revision`), folder or `.gguf` file.

    `device` is cpu, cuda, cuda:1 …, or auto, which spreads the layers over all there are; default: cuda if it is there.
    Code that a model brings runs only with `trust_remote_code`.
    Raises ValueError for an unknown name, dtype, device or template, and ModelError (a ValueError) for a model that
    cannot be had: gated, unreachable, damaged, or not a decoder-only language model.
    """
    known_dtype(dtype)
    device = checked_device(device)
    source = resolve(model, progress=progress)
    progress(f"loading {model}", 0, 1)
    spread = {"device_map": "auto"} if device == "auto" else {}
    options = {"revision": source.revision, "trust_remote_code": trust_remote_code}
    with explained(model, source.location):
        network = AutoModelForCausalLM.from_pretrained(source.location, dtype=DTYPES[dtype], **spread, **options)
        tokenizer = AutoTokenizer.from_pretrained(source.location, **options)
    progress(f"loading {model}", 1, 1)
    network.eval().requires_grad_(False)
    if not spread:
        network.to(device)
    if (head := network.get_output_embeddings()) is not None:
        head.register_forward_pre_hook(_contiguous)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    commit = getattr(network.config, "_commit_hash", None)
    weights = source.fingerprint if commit is None else fingerprint(source.location, commit)
    loaded = Model(source.name, network, tokenizer, find_blocks(network), dtype, "raw", weights)
    return loaded.with_template(template)


def checked_device(device: str | None) -> str:
    """The device to load on, the best single one for None; ValueError for one that is not known or not here."""
    if device is None or device == "auto":
        return device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise ValueError(f"unknown device {device!r}: choose cpu, cuda, cuda:1 … or auto") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"no device {device!r} here, or a PyTorch built without CUDA: choose cpu")
    return device


def _contiguous(_module: nn.Module, inputs: tuple) -> tuple:
    """Copy sliced hidden states: for a strided input a CPU matmul copies the whole vocabulary matrix per prompt."""
    return (inputs[0].contiguous(), *inputs[1:])


def has_chat_template(model: str, *, trust_remote_code: bool = False) -> bool:
    """Whether a model's tokenizer brings a chat template; loads the tokenizer only. Raises as `load_model`."""
    source = resolve(model)
    options = {"revision": source.revision, "trust_remote_code": trust_remote_code}
    with explained(model, source.location):
        return bool(AutoTokenizer.from_pretrained(source.location, **options).chat_template)
