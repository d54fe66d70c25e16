"""Prompts and their tokens: what a model is shown of a text under its template, and what of it is text."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import jinja2
from transformers import PreTrainedTokenizerBase
from transformers.utils import chat_template_utils

from xlv.models.advice import ModelError

PROBE = "How do I bake bread for my sister?"
_DAY = datetime(2025, 1, 1)  # of all prompts: what a template writes must not depend on when it is rendered
_STEPS = 1_000_000  # lines of a template that are run before it is taken to be endless; a prompt takes some hundred
_LONGEST = 1_000_000  # characters of a prompt around a text
_LIMITS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "context_length", "n_ctx")


def as_texts(texts: str | Iterable[str]) -> list[str]:
    """Texts as a list, one as a list of one: in a list, tuple, series or array; ValueError for anything else."""
    listed = isinstance(texts, Iterable) and not isinstance(texts, str | Mapping) and getattr(texts, "ndim", 1) == 1
    found = list(texts) if listed else [texts]
    if odd := [text for text in found if not isinstance(text, str)]:
        raise ValueError(f"expected a text or a list of texts, got {type(odd[0]).__name__} {str(odd[0])[:40]!r}")
    return found


class ChatTemplate:
    """A tokenizer's chat template, tried out on a short text.

    What it writes follows from the messages alone: it is given a fixed day, and thinking is switched off where that can
    be. Content is given as a text, or as a list of parts to a template that shows it only so. Raises ModelError for a
    template that cannot be used, with its own message.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer, self.parts = tokenizer, False
        fault = None
        try:
            _settle(tokenizer.get_chat_template())
        except Exception as error:
            raise _unusable(str(error)) from error
        for self.parts in (False, True):
            try:
                shown = self.render(PROBE)
                if PROBE in shown and "'type'" not in shown and '"type"' not in shown:  # not the list as it is
                    return
            except ModelError as error:
                fault = fault or error
        raise fault or _unusable("it leaves the text out")

    def render(self, text: str, system: str | None = None) -> str:
        """The prompt of a text, behind a system text if there is one, up to where the model is to go on."""
        return self._rendered([("system", system), ("user", text)] if system else [("user", text)], True)

    @property
    def has_system_role(self) -> bool:
        """Whether the model is shown a system text."""
        try:
            return PROBE in self._rendered([("system", PROBE), ("user", "")], False)
        except ModelError:
            return False

    def _rendered(self, messages: Sequence[tuple[str, str]], opened: bool) -> str:
        content = (lambda text: [{"type": "text", "text": text}]) if self.parts else str
        chat = [{"role": role, "content": content(text)} for role, text in messages]
        before, steps = sys.gettrace(), 0

        def count(frame, _event, _what):
            nonlocal steps
            if (steps := steps + 1) > _STEPS:
                raise jinja2.TemplateError("it does not come to an end")
            return count if frame.f_code.co_filename == "<template>" else None

        try:
            sys.settrace(count)  # stops a loop in any thread, and needs no process of its own
            prompt = self.tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=opened, enable_thinking=False
            )
        except Exception as error:
            raise _unusable(str(error) or type(error).__name__) from error
        finally:
            sys.settrace(before)
        if len(prompt) > _LONGEST + sum(len(text) for _, text in messages):
            raise _unusable(f"it writes {len(prompt)} characters around a text")
        return prompt


def _settle(template: str) -> None:
    """Take clock and chance away from a template; raises jinja2's errors, and ValueError for powers without bound."""
    if any(kind == "operator" and word == "**" for _, kind, word in jinja2.Environment().lex(template)):
        raise ValueError("it computes powers, which may never end")
    environment = chat_template_utils._compile_jinja_template(template).environment  # the one that renders it
    environment.globals |= {"strftime_now": _DAY.strftime, "lipsum": None}
    environment.filters["random"] = lambda *given: next(iter(given[-1]))


def _unusable(reason: str) -> ModelError:
    remedy = "choose --template raw, or a pattern with {input}"
    return ModelError(f"the model's chat template cannot be used ({reason.splitlines()[0].rstrip('.')}): {remedy}")


def tokens(tokenizer: PreTrainedTokenizerBase, prompts: list[str], *, special: bool) -> list[list[int]]:
    """Token ids of prompts, with the tokenizer's special tokens in front of them if `special`, but none behind.

    A mark that a tokenizer puts at the end is no part of a text: states are read, and completions begin, before it.
    """
    ids = tokenizer(prompts, add_special_tokens=special)["input_ids"] if prompts else []
    if not special:
        return ids
    bare, full = (tokenizer(PROBE, add_special_tokens=added)["input_ids"] for added in (False, True))
    starts = (start for start in range(len(full)) if full[start : start + len(bare)] == bare)
    behind = full[next(starts, len(full)) + len(bare) :]
    return [row[: len(row) - len(behind)] if behind and row[-len(behind) :] == behind else row for row in ids]


def context_of(config) -> int | None:
    """Tokens that a model of a text config can read at once, scaled positions included; None: no limit is named."""
    limits = (getattr(config, name, None) for name in _LIMITS)
    limit = next((value for value in limits if isinstance(value, int) and value > 0), None)
    ropes = getattr(config, "rope_parameters", None) or {}
    for rope in [ropes, *ropes.values()]:  # one, or one per kind of layer
        if limit and isinstance(rope, dict) and isinstance(factor := rope.get("factor"), int | float):
            limit = max(limit, int(factor * (rope.get("original_max_position_embeddings") or limit)))
    return limit
