"""repeng: its batched reading of hidden states, its control model while generating."""

import numpy as np
import torch
from loading import BATCH, forever, greedy, load
from repeng import ControlModel, ControlVector
from repeng.extract import batched_get_hiddens


class Contender:
    def __init__(self, folder: str, dtype: str) -> None:
        self.network, self.tokenizer = load(folder, dtype)
        self.control = None
        forever(self.network)

    def states(self, groups: list[list[str]]) -> torch.Tensor:
        layers = list(range(self.network.config.num_hidden_layers))
        found = [batched_get_hiddens(self.network, self.tokenizer, group, layers, BATCH) for group in groups]
        return torch.from_numpy(np.concatenate([np.stack([part[k] for k in layers], axis=1) for part in found]))

    def generate(self, prompts, tokens, vectors, strength):
        directions = {k - 1: vector for k, vector in vectors.items()}
        if self.control is None:
            self.control = ControlModel(self.network, list(directions))
        self.control.set_control(ControlVector("qwen2", directions), strength)
        return greedy(self.control, self.tokenizer, prompts, tokens)
