"""xlv as its users call it."""

import numpy as np
import torch
from loading import forever

from xlv.models.activations import extract
from xlv.models.decoding import generate
from xlv.models.load import load_model
from xlv.models.steering import Gate, steer


class Contender:
    def __init__(self, folder: str, dtype: str) -> None:
        self.model = load_model(folder, dtype=dtype)
        self.network, self.gates = self.model.network, {}
        forever(self.network)

    def states(self, groups: list[list[str]]) -> torch.Tensor:
        return extract(self.model, [text for group in groups for text in group])

    def generate(self, prompts, tokens, vectors, strength, gate=None):
        """Completions steered by vectors; with a `gate` only those of that share of the prompts, from 0 to 1."""
        steering = {layer: torch.from_numpy(vector) for layer, vector in vectors.items()}
        with steer(self.model, steering, strength, gate=None if gate is None else self.gate(prompts, steering, gate)):
            return generate(self.model, prompts, max_new_tokens=tokens, batch_size=len(prompts))

    def gate(self, prompts, steering, share):
        """A gate at the first steered layer that opens for a share of the prompts; made in the round that warms up."""
        if share not in self.gates:
            layer = min(steering)
            heights = extract(self.model, prompts)[:, layer - 1].float() @ steering[layer]
            ends = np.sort([float(heights.min()) - 1, *heights.tolist(), float(heights.max()) + 1])
            cut = len(ends) - 1 - round(share * len(prompts))  # so many lie above
            self.gates[share] = Gate(steering[layer], layer, (ends[cut - 1] + ends[cut]) / 2)
        return self.gates[share]
