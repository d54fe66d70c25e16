"""steering-vectors: its extraction of both sides of pairs, its patch while generating."""

import torch
from loading import BATCH, forever, greedy, load
from steering_vectors import SteeringVector
from steering_vectors.train_steering_vector import extract_activations


class Contender:
    final_norm = False  # it reads the output of the last block

    def __init__(self, folder: str, dtype: str) -> None:
        self.network, self.tokenizer = load(folder, dtype)
        forever(self.network)

    def states(self, groups: list[list[str]]) -> torch.Tensor:
        return torch.cat([self.read(list(zip(group[::2], group[1::2], strict=True))) for group in groups])

    def read(self, pairs: list[tuple[str, str]]) -> torch.Tensor:
        sides = extract_activations(self.network, self.tokenizer, pairs, batch_size=BATCH)
        positive, negative = (torch.stack([torch.cat(side[k]) for k in sorted(side)], dim=1) for side in sides)
        return torch.stack([positive, negative], dim=1).flatten(0, 1)

    def generate(self, prompts, tokens, vectors, strength):
        dtype = self.network.dtype
        steering = SteeringVector({k - 1: torch.from_numpy(vector).to(dtype) for k, vector in vectors.items()})
        with steering.apply(self.network, multiplier=strength):
            return greedy(self.network, self.tokenizer, prompts, tokens)
