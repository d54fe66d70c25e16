"""What a model's vectors must beat: its embeddings alone, its shape without training, the likelihood of the texts."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from xlv.cache import fingerprint
from xlv.models.blocks import find_blocks
from xlv.models.decoding import total_nats
from xlv.models.model import DTYPES, Model


@torch.inference_mode()
def embedding_states(model: Model, texts: Sequence[str]) -> np.ndarray:
    """Mean of the input embeddings of each text's tokens `[example, d_model]`: what the words say without a context.

    The mean and not the last token's embedding, since texts of a pair end in the same mark.
    """
    table = model.network.get_input_embeddings()
    rows = (torch.tensor(ids, device=table.weight.device) for ids in model.token_ids(list(texts)))
    return np.stack([table(ids).float().mean(dim=0).cpu().numpy() for ids in rows])


def untrained(model: Model, *, seed: int = 0) -> Model:
    """A randomly initialised model of the same shape, tokenizer and template, in bf16."""
    config = model.network.config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = type(model.network)._from_config(config, dtype=DTYPES["bf16"]).eval().to(model.network.device)
    weights, blocks = fingerprint("untrained", seed, model.weights_fingerprint), find_blocks(network)
    return Model(f"{model.name}, untrained", network, model.tokenizer, blocks, "bf16", model.template, weights)


def likelihood_margins(model: Model, positive: Sequence[str], negative: Sequence[str]) -> np.ndarray:
    """Nats by which each positive text is likelier than its negative one `[pair]`: recognition without a vector."""
    nats = total_nats(model, [*positive, *negative])
    return nats[len(positive) :] - nats[: len(positive)]


def token_overlap(model: Model, texts: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Jaccard overlap `[language, language]` of the token types that two languages' texts are made of."""
    types = [set().union(*model.token_ids(list(dict.fromkeys(rows)))) for rows in texts.values()]
    return np.array([[len(one & two) / len(one | two) for two in types] for one in types])
