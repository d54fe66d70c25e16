"""How likely a model finds texts, in nats."""

from collections.abc import Sequence

import numpy as np
import torch

from xlv.models.fast.packing import Row, run_batches, sheet
from xlv.models.load import Model

_BUDGET = 256  # tokens a batch: the logits of each over the whole vocabulary are held at once


@torch.inference_mode()
def total_nats(model: Model, texts: Sequence[str], *, token_budget: int | None = None) -> np.ndarray:
    """Negative log-likelihood of each text in nats, `[text]`, given its first token; raw text, no template."""
    ids = model.with_template("raw").token_ids(list(texts))
    if min(map(len, ids)) < 2:
        raise ValueError("expected texts of at least two tokens: the first one is given, not predicted")
    like, pad, nats = next(model.network.parameters()), model.tokenizer.pad_token_id or 0, np.zeros(len(ids))

    def read(batch: list[Row]) -> None:
        inputs, indices, rows, paths = sheet(ids, batch, pad, like)
        logits = model.network(**inputs, use_cache=False).logits
        nats[indices] = [
            -path_log(logits[row], path[:-1], ids[i][1:]) for i, row, path in zip(indices, rows, paths, strict=True)
        ]

    run_batches(model, ids, read, token_budget or _BUDGET)
    return nats


def path_log(logits: torch.Tensor, places: Sequence[int], tokens: Sequence[int]) -> float:
    """Log-probability in nats of the tokens that follow each of the places, from logits `[place, vocabulary]`."""
    losses = torch.nn.functional.cross_entropy(
        logits[list(places)].float(), torch.tensor(tokens, device=logits.device), reduction="none"
    )
    return -float(losses.double().sum())
