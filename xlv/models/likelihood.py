"""How likely a model finds texts, in nats, without ever holding the logits of a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from xlv.models.load import Model
from xlv.models.packing import Row, run_batches, sheet

_ROWS = 256


@torch.inference_mode()
def total_nats(model: Model, texts: Sequence[str], *, token_budget: int | None = None) -> np.ndarray:
    """Negative log-likelihood of each text in nats, `[text]`, given its first token; raw text, no template."""
    ids = model.with_template("raw").token_ids(list(texts))
    if min(map(len, ids)) < 2:
        raise ValueError("expected texts of at least two tokens: the first one is given, not predicted")
    head, like = model.network.get_output_embeddings(), next(model.network.parameters())
    softcap = getattr(model.network.config.get_text_config(), "final_logit_softcapping", None)
    pad, nats = model.tokenizer.pad_token_id or 0, np.zeros(len(ids))

    def read(batch: list[Row]) -> None:
        inputs, indices, rows, paths = sheet(ids, batch, pad, like)
        hidden = model.network.base_model(**inputs, use_cache=False).last_hidden_state
        tokens = inputs["input_ids"].cpu()
        # Each token follows one other; texts that begin alike share these steps.
        steps = {(r, here): before for r, path in zip(rows, paths, strict=True) for before, here in pairwise(path)}
        row, here = torch.tensor(list(steps)).T
        before = torch.tensor(list(steps.values()))
        losses = torch.zeros(tokens.shape, dtype=torch.float64)
        for part in torch.arange(len(row)).split(_ROWS):
            logits = head(hidden[row[part].to(hidden.device), before[part].to(hidden.device)]).float()
            if softcap:
                logits = softcap * torch.tanh(logits / softcap)
            targets = tokens[row[part], here[part]].to(logits.device)
            step_losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
            losses[row[part], here[part]] = step_losses.double().cpu()
        nats[indices] = [float(losses[r, path[1:]].sum()) for r, path in zip(rows, paths, strict=True)]

    run_batches(model, ids, read, token_budget)
    return nats
