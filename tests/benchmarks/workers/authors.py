"""The authors' whole job, what their code was read to do, in code of our own.

The causal language model with its vocabulary head and `output_hidden_states`; texts of one language after the other, in
the order given, padded on the left, eight at a time where vectors are trained and four where they are tested; the last
position of every layer kept as a view of the whole batch until all are stacked; then the difference of the class means
of each language at every layer, the sign that separates the training pairs better, and the accuracy of every source on
every target, pair by pair.
"""

from __future__ import annotations

from math import floor

import numpy as np
import torch
from loading import batches, load

TRAINING, TESTING, SHARE = 8, 4, 0.8


class Contender:
    def __init__(self, folder: str, dtype: str) -> None:
        self.network, self.tokenizer = load(folder, dtype)
        self.tokenizer.padding_side = "left"

    @torch.no_grad()
    def read(self, texts: list[str], size: int) -> np.ndarray:
        """States `[example, layer, d_model]` in fp32."""
        kept = []
        for batch in batches(texts, size):
            output = self.network(**self.tokenizer(batch, padding=True, return_tensors="pt"), output_hidden_states=True)
            kept.append([hidden[:, -1, :] for hidden in output.hidden_states[1:]])
        return np.concatenate([np.stack([row.float().numpy() for row in rows], axis=1) for rows in kept])

    def states(self, groups: list[list[str]]) -> torch.Tensor:
        cuts = [2 * floor(SHARE * (len(group) // 2)) for group in groups]
        training = [self.read(group[:cut], TRAINING) for group, cut in zip(groups, cuts, strict=True)]
        vectors = [states[::2].mean(axis=0) - states[1::2].mean(axis=0) for states in training]
        for states, vector in zip(training, vectors, strict=True):
            accuracy(states, vector)  # the sign of each layer
        testing = [self.read(group[cut:], TESTING) for group, cut in zip(groups, cuts, strict=True)]
        for target in testing:
            for vector in vectors:
                accuracy(target, vector)
        both = [np.concatenate(parts) for parts in zip(training, testing, strict=True)]
        return torch.from_numpy(np.concatenate(both))


def accuracy(states: np.ndarray, vector: np.ndarray) -> list[float]:
    """Share of pairs recognised at each layer, a text and a layer at a time."""
    shares = []
    for layer in range(states.shape[1]):
        projections = [row[layer] @ vector[layer] for row in states]
        pairs = [projections[i : i + 2] for i in range(0, len(projections), 2)]
        shares.append(float(np.mean([max(pair) == pair[0] for pair in pairs])))
    return shares
