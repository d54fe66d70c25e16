"""Prompts read once: how likely they are to go on in given ways, and how they do go on, from one KV cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from xlv.models.load import Model


def left_padded(model: Model, prompts: Sequence[str], system: str | None = None) -> dict[str, torch.Tensor]:
    """Token ids and attention mask of prompts under the template, padded on the left, as decoding needs them."""
    ids = model.token_ids(list(prompts), system)
    width = max(map(len, ids))
    pad = model.tokenizer.pad_token_id or 0
    rows = torch.tensor([[pad] * (width - len(row)) + row for row in ids])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids])
    return {"input_ids": rows.to(model.network.device), "attention_mask": mask.to(model.network.device)}


class ReadPrompts:
    """A batch of prompts behind which one can read on, under whatever steers the model when they are read.

    Ask for `opening_logs` before `complete`: completing consumes the KV cache. Both belong inside the steering
    context in which the prompts were read.
    """

    @torch.inference_mode()
    def __init__(self, model: Model, prompts: Sequence[str], system: str | None = None) -> None:
        self.model, self.inputs = model, left_padded(model, prompts, system)
        mask = self.inputs["attention_mask"]
        self.positions = (mask.cumsum(-1) - 1).clamp(min=0)
        output = model.network(**self.inputs, position_ids=self.positions, use_cache=True, logits_to_keep=1)
        self.first, self.cache = output.logits[:, -1].float().log_softmax(-1), output.past_key_values

    @torch.inference_mode()
    def opening_logs(self, openings: Sequence[str]) -> np.ndarray:
        """Log-probability in nats `[opening, prompt]` that a completion opens with each text.

        Each opening is read behind the prompts' shared KV cache, which is cropped back afterwards.
        """
        return np.stack([self._opening(text) for text in openings])

    def _opening(self, text: str) -> np.ndarray:
        mask, device = self.inputs["attention_mask"], self.first.device
        ids = self.model.tokenizer(text, add_special_tokens=False)["input_ids"]
        total = self.first[:, ids[0]].clone()
        if len(ids) > 1:
            rows = torch.tensor([ids[:-1]] * len(mask), device=device)
            output = self.model.network(
                input_ids=rows, attention_mask=torch.cat([mask, torch.ones_like(rows)], dim=1), use_cache=True,
                position_ids=self.positions[:, -1:] + torch.arange(1, len(ids), device=device),
                past_key_values=self.cache,
            )  # fmt: skip
            self.cache = output.past_key_values
            self.cache.crop(1 - len(ids))
            logits = output.logits.float()
            wanted = torch.tensor(ids[1:], device=device)[None, :, None].expand(len(mask), -1, 1)
            total += (logits.gather(-1, wanted)[..., 0] - logits.logsumexp(-1)).sum(-1)
        return total.cpu().numpy()

    @torch.inference_mode()
    def complete(self, max_new_tokens: int) -> list[str]:
        """Greedy completions of the prompts."""
        self.cache.crop(-1)  # generation wants at least one token that the cache does not hold
        width = self.inputs["input_ids"].shape[1]
        output = self.model.network.generate(
            **self.inputs, past_key_values=self.cache, max_new_tokens=max_new_tokens, do_sample=False, temperature=None,
            top_p=None, top_k=None, repetition_penalty=1.0, pad_token_id=self.model.tokenizer.pad_token_id,
        )  # fmt: skip
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
