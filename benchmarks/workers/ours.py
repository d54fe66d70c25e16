"""xlv as its users call it."""

import torch
from loading import forever

from xlv.models.activations import extract
from xlv.models.decoding import generate
from xlv.models.load import load_model
from xlv.models.steering import steer


class Contender:
    def __init__(self, folder: str, dtype: str) -> None:
        self.model = load_model(folder, dtype=dtype)
        self.network = self.model.network
        forever(self.network)

    def states(self, groups: list[list[str]]) -> torch.Tensor:
        return extract(self.model, [text for group in groups for text in group])

    def generate(self, prompts, tokens, vectors, strength):
        steering = {layer: torch.from_numpy(vector) for layer, vector in vectors.items()}
        with steer(self.model, steering, strength):
            return generate(self.model, prompts, max_new_tokens=tokens, batch_size=len(prompts))
