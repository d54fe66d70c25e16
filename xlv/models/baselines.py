"""What a model's vectors must beat: its embeddings alone, its shape without training, the likelihood of the texts."""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import torch
from accelerate import dispatch_model

from xlv.cache import fingerprint
from xlv.models.blocks import find_blocks
from xlv.models.decoding import total_nats
from xlv.models.fast.probe import known, permits
from xlv.models.model import DTYPES, Model


@torch.inference_mode()
def embedding_states(model: Model, texts: Sequence[str]) -> np.ndarray:
    """Mean of the input embeddings of each text's tokens `[example, d_model]`: what the words say without a context.

    The mean and not the last token's embedding, since texts of a pair end in the same mark.
    """
    table = model.network.get_input_embeddings()
    rows = (torch.tensor(ids, device=table.weight.device) for ids in model.token_ids(texts))
    return np.stack([table(ids).float().mean(dim=0).cpu().numpy() for ids in rows])


def untrained(model: Model, *, seed: int = 0) -> Model:
    """A randomly initialised model of the same shape, tokenizer and template, in bf16, in place of the trained one.

    Memory never holds both: the trained network gives up its weights first, and cannot be used any more.
    """
    network, weights = model.network, fingerprint("untrained", seed, model.weights_fingerprint)
    permitted, device, spread = permits(model), network.device, getattr(network, "hf_device_map", None)
    for tensor in chain(network.parameters(), network.buffers()):
        tensor.data = tensor.new_empty(0)
    torch.cuda.empty_cache()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        blank = type(network)._from_config(network.config, dtype=DTYPES["bf16"]).eval()
    if spread:
        dispatch_model(blank, {part: "cpu" if place == "disk" else place for part, place in spread.items()})
    else:
        blank.to(device)
    known[blank] = permitted  # of its shape, not of its weights
    return Model(
        f"{model.name}, untrained", blank, model.tokenizer, find_blocks(blank), "bf16", model.template, weights
    )


def likelihood_margins(model: Model, positive: Sequence[str], negative: Sequence[str]) -> np.ndarray:
    """Nats by which each positive text is likelier than its negative one `[pair]`: recognition without a vector."""
    nats = total_nats(model, [*positive, *negative])
    return nats[len(positive) :] - nats[: len(positive)]


def token_overlap(model: Model, texts: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Jaccard overlap `[language, language]` of the token types that two languages' texts are made of."""
    types = [set().union(*model.token_ids(list(dict.fromkeys(rows)))) for rows in texts.values()]
    return np.array([[len(one & two) / len(one | two) for two in types] for one in types])
