"""A model in memory: its network and decoder blocks, its prompt template, its fingerprint."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from jinja2 import TemplateError
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlv.cache import fingerprint
from xlv.settings import known_template

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
