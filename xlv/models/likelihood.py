"""How likely a model finds texts, in nats, without ever holding the logits of a whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from xlv.models.activations import run_batches
from xlv.models.load import Model

_ROWS = 256


@torch.inference_mode()
def total_nats(model: Model, texts: Sequence[str], *, token_budget: int = 1024) -> np.ndarray:
    """Negative log-likelihood of each text in nats, `[text]`, given its first token; raw text, no template."""
    ids = model.with_template("raw").token_ids(list(texts))
    if min(map(len, ids)) < 2:
        raise ValueError("expected texts of at least two tokens: the first one is given, not predicted")
    head, device = model.network.get_output_embeddings(), model.network.device
    softcap = getattr(model.network.config.get_text_config(), "final_logit_softcapping", None)
    pad, nats = model.tokenizer.pad_token_id or 0, np.zeros(len(ids))

    def read(batch: list[int]) -> None:
        nats[batch] = 0.0
        width = max(len(ids[i]) for i in batch)
        rows = torch.tensor([ids[i] + [pad] * (width - len(ids[i])) for i in batch], device=device)
        hidden = model.network.base_model(input_ids=rows, use_cache=False).last_hidden_state[:, :-1]
        lengths = torch.tensor([len(ids[i]) - 1 for i in batch])
        real = torch.arange(width - 1)[None] < lengths[:, None]
        owners = torch.nonzero(real)[:, 0]
        states, targets = hidden[real.to(hidden.device)], rows[:, 1:][real.to(device)]
        for start in range(0, len(states), _ROWS):
            part = slice(start, start + _ROWS)
            logits = head(states[part]).float()
            if softcap:
                logits = softcap * torch.tanh(logits / softcap)
            losses = torch.nn.functional.cross_entropy(logits, targets[part].to(logits.device), reduction="none")
            np.add.at(nats, np.asarray(batch)[owners[part].numpy()], losses.double().cpu().numpy())

    run_batches([len(row) for row in ids], token_budget, read)
    return nats
