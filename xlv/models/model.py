"""A model in memory: its network and decoder blocks, its prompt template, its fingerprint."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlv.cache import fingerprint
from xlv.models.prompts import PROBE, ChatTemplate, as_texts, context_of, tokens
from xlv.settings import known_template

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_LLAMA2 = "[INST] {input} [/INST] "


def as_model(model: object) -> "Model":
    """The model, if it is one; ValueError for a name or a network."""
    if not isinstance(model, Model):
        raise ValueError(
            f"expected a model that xlv.load_model returned, got {type(model).__name__} {str(model)[:40]!r}"
        )
    return model


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
    def rows(self) -> int:
        """Number of tokens that the model has embeddings of."""
        return self.network.get_input_embeddings().weight.shape[0]

    @property
    def pad_id(self) -> int:
        """The token that rows are filled up with: it is never read, so any that the model has can stand for it."""
        known = self.tokenizer.pad_token_id, getattr(self.network.config.get_text_config(), "pad_token_id", None)
        return next((token for token in known if token is not None and 0 <= token < self.rows), 0)

    @property
    def context(self) -> int | None:
        """Tokens that the model can read at once, or None where its config names no limit."""
        return context_of(self.network.config.get_text_config())

    @cached_property  # seconds for a large vocabulary
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer, dtype, template and a prompt: what activations depend on besides the texts."""
        how = sorted(self.tokenizer.get_vocab().items())
        if (backend := getattr(self.tokenizer, "backend_tokenizer", None)) is not None:  # merges, normaliser and all
            backend.no_truncation(), backend.no_padding()  # as every call does: how it was last called is no part of it
            how = backend.to_str()
        shown = self.prompts([PROBE]), self.token_ids([PROBE], system=PROBE)
        tokenizer = fingerprint(how, self.tokenizer.chat_template, shown)
        return fingerprint(self.weights_fingerprint, tokenizer, self.dtype, self.template)

    def with_template(self, template: str) -> Self:
        """The same model under another prompt template; raises ValueError for a template it cannot have."""
        if template == "chat":
            if not self.tokenizer.chat_template:
                raise ValueError("this model has no chat template: choose --template raw, or a pattern with {input}")
            ChatTemplate(self.tokenizer)
        return replace(self, template=known_template(template))

    def prompt(self, text: str, system: str | None = None) -> str:
        """The text as the model sees it under its template; see `prompts`."""
        return self.prompts([text], system)[0]

    def prompts(self, texts: list[str], system: str | None = None) -> list[str]:
        """Texts as the model sees them under its template.

        A `system` text goes in the chat template's system role, or in front of the text where there is none.
        Raises ModelError for a chat template that cannot be used.
        """
        texts, chat = as_texts(texts), ChatTemplate(self.tokenizer) if self.template == "chat" else None
        if system and not (chat and chat.has_system_role):
            texts, system = [f"{system}\n\n{text}" for text in texts], None
        if chat:
            return [chat.render(text, system) for text in texts]
        pattern = {"raw": "{input}", "llama2": _LLAMA2}.get(self.template, self.template)
        return [pattern.replace("{input}", text) for text in texts]

    def token_ids(self, texts: list[str], system: str | None = None, *, new: int = 0) -> list[list[int]]:
        """Token ids of texts under the template, without a mark that the tokenizer puts behind them.

        A chat template brings its own special tokens. Raises ValueError for a text without tokens, with tokens that the
        model lacks, or with more of them, `new` ones to come included, than its context holds.
        """
        texts = as_texts(texts)
        ids = tokens(self.tokenizer, self.prompts(texts, system), special=self.template != "chat")
        return self._checked(texts, ids, new)

    def continuation_ids(self, texts: list[str]) -> list[list[int]]:
        """Token ids of texts that stand behind a prompt, with no special tokens. Raises as `token_ids` does."""
        return self._checked(texts, tokens(self.tokenizer, texts, special=False))

    def _checked(self, texts: list[str], ids: list[list[int]], new: int = 0) -> list[list[int]]:
        limit, rows = self.context, self.rows
        for text, row in zip(texts, ids, strict=True):
            start = text if len(text) <= 60 else f"{text[:60]}…"
            if not row:
                raise ValueError(f"the text {start!r} has no tokens: expected at least one")
            if max(row) >= rows:
                token = next(token for token in row if token >= rows)
                name, has = self.tokenizer.convert_ids_to_tokens(token), f"{rows} rows (0 to {rows - 1})"
                remedy = "" if self.template == "raw" else "; with --template raw it can be read without them"
                fault = f"it was resized or merged without its new tokens{remedy}"
                raise ValueError(f"the token {name} is number {token}, the model has {has}: {fault}")
            if limit and len(row) + new > limit:
                wanted = f"has {len(row)} tokens" + (f", {new} to follow" if new else "")
                raise ValueError(f"the text {start!r} {wanted}: the model can read {limit}; shorten it or leave it out")
        return ids
