"""How likely texts are, and how prompts go on: prompts are read once, and read on behind."""

from collections.abc import Sequence

import numpy as np
import torch

from xlv.models.fast.packing import run_batches
from xlv.models.fast.prefilled import Prefilled, path_log, way_for
from xlv.models.fast.rows import Row, sheet
from xlv.models.model import Model, as_model
from xlv.models.prompts import as_texts

_BUDGET = 256  # tokens per batch where the logits of each over the whole vocabulary are held at once
_AHEAD = 64  # tokens by which openings and completions may go on


class ReadPrompts:
    """A batch of prompts behind which one can read on, under whatever steers the model when they are read.

    Ask for `opening_logs` before `complete`: completing consumes the KV cache. Both belong inside the steering
    context in which the prompts were read. `ahead` is how many tokens may follow. Raises ValueError for a prompt that
    is longer than the model's context.
    """

    @torch.inference_mode()
    def __init__(self, model: Model, prompts: Sequence[str], system: str | None = None, *, ahead: int = _AHEAD) -> None:
        self.model, ids = model, model.token_ids(prompts, system)
        self.read = Prefilled(model, ids, way_for(model, max(map(len, ids)) + ahead))

    @torch.inference_mode()
    def opening_logs(self, openings: Sequence[str]) -> np.ndarray:
        """Log-probability in nats `[opening, prompt]` that a completion opens with each text."""
        return self.read.logs(self.model.continuation_ids(list(openings))).cpu().numpy()

    @torch.inference_mode()
    def complete(self, max_new_tokens: int) -> list[str]:
        """Greedy completions of the prompts, whatever generation config the model brings."""
        return self.model.tokenizer.batch_decode(self.read.completed(max_new_tokens), skip_special_tokens=True)


def length_batches(model: Model, prompts: Sequence[str], batch_size: int, system: str | None = None) -> list[list[int]]:
    """Indices of prompts in batches of like length in tokens."""
    lengths = [len(row) for row in model.token_ids(prompts, system)]
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def generate(
    model: Model, prompts: str | Sequence[str], *, max_new_tokens: int = 32, batch_size: int = 40
) -> list[str]:
    """Greedy completions of prompts, a list also for one, under the model's template, batched by length, with KV cache.

    Use it inside one of the context managers of `xlv.models.steering` to generate under control.
    """
    if not isinstance(max_new_tokens, int) or max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is {max_new_tokens!r}: expected a whole number from 1")
    prompts = as_texts(prompts)
    as_model(model).token_ids(prompts, new=max_new_tokens)  # too long a prompt is refused before any is completed
    completions = [""] * len(prompts)
    for batch in length_batches(model, prompts, batch_size):
        read = ReadPrompts(model, [prompts[i] for i in batch], ahead=max_new_tokens)
        for i, text in zip(batch, read.complete(max_new_tokens), strict=True):
            completions[i] = text
    return completions


@torch.inference_mode()
def total_nats(model: Model, texts: Sequence[str], *, token_budget: int | None = None) -> np.ndarray:
    """Negative log-likelihood of each text in nats, `[text]`, given its first token; raw text, no template.

    It is 0 for a text of one token, of which nothing is predicted.
    """
    ids = model.with_template("raw").token_ids(texts)
    like, pad, nats = next(model.network.parameters()), model.pad_id, np.zeros(len(ids))

    def read(batch: list[Row]) -> None:
        inputs, indices, rows, paths = sheet(ids, batch, pad, like)
        logits = model.network(**inputs, use_cache=False).logits
        for i, row, path in zip(indices, rows, paths, strict=True):
            nats[i] = -path_log(logits[row], path[:-1], ids[i][1:])

    run_batches(model, ids, read, token_budget or _BUDGET)
    return nats
