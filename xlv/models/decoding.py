"""How likely texts are, and how prompts go on: prompts are read once, from one KV cache."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import Cache

from xlv.models.fast.packing import Row, layout_for, run_batches, shared_tokens, sheet
from xlv.models.model import Model

# Logits held at once while openings are read, prompts × tokens × vocabulary: 256 MB in two bytes each.
_LOGITS = 2**27
# A beginning that prompts share is read apart, and its keys and values repeated, from so many tokens on.
_PREFIX = 8
_BUDGET = 256  # tokens per batch where the logits of each over the whole vocabulary are held at once
_GREEDY = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "repetition_penalty": 1.0}


def padded_prompts(
    model: Model, prompts: Sequence[str], system: str | None = None
) -> tuple[dict[str, torch.Tensor], int]:
    """Token ids and attention mask `[prompt, token]` of prompts under the template, and how many tokens all begin with.

    Padding stands right behind that common beginning, so that all prompts end together.
    """
    ids = model.token_ids(list(prompts), system)
    shared = min(shared_tokens(ids[0], row) for row in ids)
    shared = min(shared, min(map(len, ids)) - 1)  # each prompt keeps a token of its own to be read last
    width, pad = max(map(len, ids)), model.pad_id
    rows = torch.tensor([row[:shared] + [pad] * (width - len(row)) + row[shared:] for row in ids])
    mask = torch.tensor([[1] * shared + [0] * (width - len(row)) + [1] * (len(row) - shared) for row in ids])
    return {"input_ids": rows.to(model.network.device), "attention_mask": mask.to(model.network.device)}, shared


class ReadPrompts:
    """A batch of prompts behind which one can read on, under whatever steers the model when they are read.

    Ask for `opening_logs` before `complete`: completing consumes the KV cache. Both belong inside the steering
    context in which the prompts were read.
    """

    @torch.inference_mode()
    def __init__(self, model: Model, prompts: Sequence[str], system: str | None = None) -> None:
        self.model = model
        self.inputs, shared = padded_prompts(model, prompts, system)
        rows, mask = self.inputs["input_ids"], self.inputs["attention_mask"]
        self.positions = (mask.cumsum(-1) - 1).clamp(min=0)
        self.cache = self._read_once(rows[:1, :shared])
        read = shared if self.cache is not None else 0
        unread = {"input_ids": rows[:, read:], "attention_mask": mask, "position_ids": self.positions[:, read:]}
        output = model.network(**unread, past_key_values=self.cache, use_cache=True, logits_to_keep=1)
        self.first, self.cache = output.logits[:, -1].float().log_softmax(-1), output.past_key_values

    def _read_once(self, beginning: torch.Tensor) -> Cache | None:
        """Keys and values of what all prompts begin with, repeated for each, or None where that is not worth it."""
        prompts = len(self.inputs["input_ids"])
        if prompts == 1 or beginning.shape[1] < _PREFIX:
            return None
        cache = self.model.network.base_model(input_ids=beginning, use_cache=True).past_key_values
        if not isinstance(cache, Cache):
            return None
        cache.batch_repeat_interleave(prompts)
        return cache

    @torch.inference_mode()
    def opening_logs(self, openings: Sequence[str]) -> np.ndarray:
        """Log-probability in nats `[opening, prompt]` that a completion opens with each text.

        The openings are read behind the prompts' KV cache, several in a row if the model can have that, and the cache
        is cropped back afterwards.
        """
        ids = [self.model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in openings]
        logs = self.first[:, [row[0] for row in ids]].T.double()
        longer = [i for i, row in enumerate(ids) if len(row) > 1]
        width = min(max(1, _LOGITS // self.first.numel()), sum(map(len, ids)))
        layout = layout_for(self.model, [range(self.positions.shape[1] + width)])
        for row in layout([row[:-1] for row in ids], longer, width):
            logs[row] += self._read_on([ids[i] for i in row])
        return logs.cpu().numpy()

    def _read_on(self, ids: list[list[int]]) -> torch.Tensor:
        """Log-probability `[opening, prompt]` of all tokens but the first of openings that are read in one row."""
        like = next(self.model.network.parameters())
        inputs, _, _, paths = sheet([row[:-1] for row in ids], [[*range(len(ids))]], 0, like)
        rows, mask = inputs["input_ids"].expand(len(self.first), -1), self._behind_prompts(inputs)
        places = inputs.get("position_ids", torch.arange(rows.shape[1], device=rows.device)[None])
        unread = {"input_ids": rows, "attention_mask": mask, "position_ids": self.positions[:, -1:] + 1 + places}
        output = self.model.network(**unread, past_key_values=self.cache, use_cache=True)
        self.cache = output.past_key_values
        self.cache.crop(-rows.shape[1])
        openings = list(zip(ids, paths, strict=True))
        logs = [[path_log(logits, path, row[1:]) for logits in output.logits] for row, path in openings]
        return torch.tensor(logs, device=self.first.device, dtype=torch.float64)

    def _behind_prompts(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mask of a row read behind the prompts: all of them is seen, and of the row what its own mask says."""
        mask, length = self.inputs["attention_mask"], inputs["input_ids"].shape[1]
        if "attention_mask" not in inputs:
            return torch.cat([mask, mask.new_ones(len(mask), length)], dim=1)
        own = inputs["attention_mask"]
        past = own.new_zeros(mask.shape).masked_fill(mask == 0, torch.finfo(own.dtype).min)
        return torch.cat([past[:, None, None].expand(-1, -1, length, -1), own.expand(len(mask), -1, -1, -1)], dim=-1)

    @torch.inference_mode()
    def complete(self, max_new_tokens: int) -> list[str]:
        """Greedy completions of the prompts."""
        self.cache.crop(-1)  # generation wants at least one token that the cache does not hold
        options = _GREEDY | {"max_new_tokens": max_new_tokens, "pad_token_id": self.model.pad_id}
        output = self.model.network.generate(**self.inputs, past_key_values=self.cache, **options)
        width = self.inputs["input_ids"].shape[1]
        return self.model.tokenizer.batch_decode(output[:, width:], skip_special_tokens=True)


def length_batches(model: Model, prompts: Sequence[str], batch_size: int, system: str | None = None) -> list[list[int]]:
    """Indices of prompts in batches of like length in tokens."""
    lengths = [len(row) for row in model.token_ids(list(prompts), system)]
    order = sorted(range(len(prompts)), key=lengths.__getitem__)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def generate(model: Model, prompts: Sequence[str], *, max_new_tokens: int = 32, batch_size: int = 40) -> list[str]:
    """Greedy completions of prompts under the model's template, batched by length, with KV cache.

    Use it inside one of the context managers of `xlv.models.steering` to generate under control.
    """
    completions = [""] * len(prompts)
    for batch in length_batches(model, prompts, batch_size):
        read = ReadPrompts(model, [prompts[i] for i in batch])
        for i, text in zip(batch, read.complete(max_new_tokens), strict=True):
            completions[i] = text
    return completions


@torch.inference_mode()
def total_nats(model: Model, texts: Sequence[str], *, token_budget: int | None = None) -> np.ndarray:
    """Negative log-likelihood of each text in nats, `[text]`, given its first token; raw text, no template."""
    ids = model.with_template("raw").token_ids(list(texts))
    if min(map(len, ids)) < 2:
        raise ValueError("expected texts of at least two tokens: the first one is given, not predicted")
    like, pad, nats = next(model.network.parameters()), model.pad_id, np.zeros(len(ids))

    def read(batch: list[Row]) -> None:
        inputs, indices, rows, paths = sheet(ids, batch, pad, like)
        logits = model.network(**inputs, use_cache=False).logits
        for i, row, path in zip(indices, rows, paths, strict=True):
            nats[i] = -path_log(logits[row], path[:-1], ids[i][1:])

    run_batches(model, ids, read, token_budget or _BUDGET)
    return nats


def path_log(logits: torch.Tensor, places: Sequence[int], tokens: Sequence[int]) -> float:
    """Log-probability in nats of the tokens that follow each of the places, from logits `[place, vocabulary]`."""
    wanted = torch.tensor(tokens, device=logits.device)
    losses = torch.nn.functional.cross_entropy(logits[list(places)].float(), wanted, reduction="none")
    return -float(losses.double().sum())
