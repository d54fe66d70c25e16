"""dialz: its batched reading of hidden states, its steering model while generating.

It loads every model in fp16, which processors are slow at; the weights are put back in the dtype asked for.
"""

import numpy as np
import torch
from dialz import SteeringModel, SteeringVector
from dialz.vector import batched_get_hiddens
from loading import BATCH, forever, greedy, load


class Contender:
    def __init__(self, folder: str, dtype: str) -> None:
        self.folder = folder
        self.network, self.tokenizer = load(folder, dtype)
        self.control = None
        forever(self.network)

    def states(self, groups: list[list[str]]) -> torch.Tensor:
        layers = list(range(self.network.config.num_hidden_layers))
        found = [batched_get_hiddens(self.network, self.tokenizer, group, layers, BATCH) for group in groups]
        return torch.from_numpy(np.concatenate([np.stack([part[k] for k in layers], axis=1) for part in found]))

    def steered(self, layers: list[int]) -> SteeringModel:
        model = SteeringModel(self.folder, layers)
        model.model.to(self.network.dtype)
        for own, given in zip(model.model.parameters(), self.network.parameters(), strict=True):
            own.data = given.data
        forever(model.model)
        return model

    def generate(self, prompts, tokens, vectors, strength):
        directions = {k - 1: vector for k, vector in vectors.items()}
        if self.control is None:
            self.control = self.steered(list(directions))
        self.control.set_control(SteeringVector("qwen2", directions), strength)
        return greedy(self.control, self.tokenizer, prompts, tokens)
