"""nnterp: its collection of the last token's activations at every layer, which stops before the vocabulary head."""

import torch
from loading import BATCH, DTYPES
from nnterp import StandardizedTransformer
from nnterp.nnsight_utils import collect_token_activations_batched


class Contender:
    final_norm = False  # it reads the output of the last block

    def __init__(self, folder: str, dtype: str) -> None:
        self.model = StandardizedTransformer(
            folder,
            dtype=DTYPES[dtype],
            device_map="cpu",
            check_attn_probs_with_trace=False,
            dispatch=True,
            tokenizer_kwargs={"padding_side": "left"},
        )
        self.network = self.model._model

    def states(self, groups: list[list[str]]) -> torch.Tensor:
        found = [collect_token_activations_batched(self.model, group, BATCH) for group in groups]
        return torch.cat(found, dim=1).transpose(0, 1)
