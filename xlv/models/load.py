"""A model in memory: its decoder blocks found by structure, its prompt template, its fingerprint."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Self

import torch
from jinja2 import TemplateError
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from xlv.cache import Progress, fingerprint, silent
from xlv.models.weights import ModelError, Source, quiet, resolve
from xlv.settings import known_dtype, known_template

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_LLAMA2 = "[INST] {input} [/INST] "


@dataclass(frozen=True)
class Model:
    """A decoder-only language model ready for use.

    `network` is the Hugging Face causal LM, `blocks` its decoder blocks in order, `dtype` a key of DTYPES,
    `template` how a text becomes a prompt: a name in TEMPLATES or a pattern that contains `{input}`.
    """

    name: str
    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    blocks: nn.ModuleList
    dtype: str
    template: str
    weights_fingerprint: str

    @property
    def n_layers(self) -> int:
        """Number L of decoder blocks; layers are numbered 1 … L."""
        return len(self.blocks)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self.network.config.get_text_config().hidden_size

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer, dtype and template: what activations depend on besides the texts."""
        tokens = fingerprint(sorted(self.tokenizer.get_vocab().items()), self.tokenizer.chat_template)
        return fingerprint(self.weights_fingerprint, tokens, self.dtype, self.template)

    def with_template(self, template: str) -> Self:
        """The same model under another prompt template; raises ValueError for a template it cannot have."""
        if template == "chat" and not self.tokenizer.chat_template:
            raise ValueError("this model has no chat template: choose --template raw, or a pattern with {input}")
        return replace(self, template=known_template(template))

    def prompt(self, text: str, system: str | None = None) -> str:
        """The text as the model sees it under its template.

        A `system` text goes in the chat template's system role, or in front of the text where there is none.
        """
        if system and not self.has_system_role:
            text, system = f"{system}\n\n{text}", None
        if self.template == "raw":
            return text
        if self.template == "chat":
            messages = [{"role": "system", "content": system}] if system else []
            messages.append({"role": "user", "content": text})
            return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return (_LLAMA2 if self.template == "llama2" else self.template).replace("{input}", text)

    @property
    def has_system_role(self) -> bool:
        """Whether the template is a chat template that shows the model a system text."""
        if self.template != "chat":
            return False
        messages = [{"role": "system", "content": "probe"}, {"role": "user", "content": ""}]
        try:
            return "probe" in self.tokenizer.apply_chat_template(messages, tokenize=False)
        except TemplateError:
            return False

    def token_ids(self, texts: list[str], system: str | None = None) -> list[list[int]]:
        """Token ids of texts under the template; a chat template brings its own special tokens."""
        prompts = [self.prompt(text, system) for text in texts]
        ids = self.tokenizer(prompts, add_special_tokens=self.template != "chat")["input_ids"]
        if not all(ids):
            raise ValueError(f"the text {texts[ids.index([])]!r} has no tokens: expected at least one")
        return ids


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
    with _explained(model, source):
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


def find_blocks(network: PreTrainedModel) -> nn.ModuleList:
    """The decoder blocks: of the lists as long as the language model is deep, that which holds most of its weights."""
    if getattr(network.config, "is_encoder_decoder", False):
        raise ModelError(f"{type(network).__name__} is an encoder-decoder: expected a decoder-only model")
    depth = network.config.get_text_config().num_hidden_layers
    decoder = network.get_decoder() or network.base_model  # of a model that sees, its language model only
    found = [m for m in decoder.modules() if isinstance(m, nn.ModuleList) and len(m) == depth]
    if not found:
        fault = f"found no list of {depth} decoder blocks in {type(network).__name__}"
        raise ModelError(f"{fault}: not a model xlv can read")
    return max(found, key=lambda blocks: sum(p.numel() for p in blocks.parameters()))


def has_chat_template(model: str, *, trust_remote_code: bool = False) -> bool:
    """Whether a model's tokenizer brings a chat template; loads the tokenizer only. Raises as `load_model`."""
    source = resolve(model)
    options = {"revision": source.revision, "trust_remote_code": trust_remote_code}
    with _explained(model, source):
        return bool(AutoTokenizer.from_pretrained(source.location, **options).chat_template)


@contextmanager
def _explained(model: str, source: Source) -> Iterator[None]:
    """Load quietly; what fails becomes a ModelError that says what to do."""
    try:
        with quiet():
            yield
    except Exception as error:
        text = str(error).strip()
        if "gated" in text or "401" in text or "403" in text:
            advice = "it is gated: accept its licence on its Hub page, then log in with `hf auth login`"
        elif "trust_remote_code" in text:
            advice = "it brings its own code: read it, then add --trust-remote-code"
        elif "/" in source.location and not source.location.startswith("/"):
            advice = "check the id and the network, or download it elsewhere and give the folder instead"
        else:
            kind = "of a kind that transformers does not know"
            advice = f"its files are damaged or {kind}; `xlv cache clear` drops cached ones"
        reason = text.splitlines()[0].rstrip(".") if text else type(error).__name__
        raise ModelError(f"cannot load {model}: {reason}. What to do: {advice}") from error
