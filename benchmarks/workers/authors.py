"""The authors' whole job, what their code was read to do, in code of our own on the same machinery.

A pipeline of transformers around the causal language model with its vocabulary head and `output_hidden_states`: texts
are tokenised one by one, pairs of one language after the other in a shuffled order, padded on the left, eight at a time
where vectors are trained and four where they are tested; the last position of every layer is kept as a view of the
whole batch until all are stacked. Then the difference of the class means of each language at every layer, and the sign
that separates its training pairs better. The states of a test set are read once; for every source the pipeline runs
over its texts again, 32 at a time, and projects those states on the source's vectors layer by layer.
"""

import random
from math import floor

import numpy as np
import torch
from loading import load
from transformers import Pipeline

TRAINING, TESTING, PROJECTING, SHARE = 8, 4, 32, 0.8
Layers = dict[int, np.ndarray]


class Reading(Pipeline):
    """States of the last token by layer, or with `directions` their projections; of `known` states, without a model."""

    def _sanitize_parameters(self, directions=None, known=None, **_batching):
        self.position = 0
        return {}, {"directions": directions, "known": known}, {}

    def preprocess(self, text):
        return self.tokenizer(text, return_tensors="pt")

    def _forward(self, inputs, directions, known):
        start = self.position
        self.position += len(inputs["input_ids"])
        if known is None:
            hidden = self.model(**inputs, output_hidden_states=True).hidden_states
            states = {layer: part[:, -1, :].detach() for layer, part in enumerate(hidden) if layer}
        else:
            states = {layer: torch.from_numpy(part[start : self.position]) for layer, part in known.items()}
        if directions is None:
            return states
        return {layer: projection(part, directions[layer]).numpy() for layer, part in states.items()}

    def postprocess(self, outputs):
        return outputs


def projection(states: torch.Tensor, direction: np.ndarray) -> torch.Tensor:
    direction = torch.from_numpy(direction)
    return states.matmul(direction) / torch.norm(direction)


class Contender:
    def __init__(self, folder: str, dtype: str) -> None:
        self.network, tokenizer = load(folder, dtype)
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.reading = Reading(model=self.network, tokenizer=tokenizer)

    def read(self, texts: list[str], size: int) -> Layers:
        """States `[example, d_model]` by layer."""
        kept: dict[int, list] = {}
        for found in self.reading(texts, batch_size=size):
            for layer, state in found.items():
                kept.setdefault(layer, []).extend(state)
        return {layer: np.vstack(rows) for layer, rows in kept.items()}

    def states(self, groups: list[list[str]]) -> torch.Tensor:
        trained, tests, result = [], [], []
        for texts in groups:
            pairs = list(range(len(texts) // 2))
            random.Random(1).shuffle(pairs)
            train, test = ([2 * p + side for p in part for side in (0, 1)] for part in halves(pairs))
            states = self.read([texts[i] for i in train], TRAINING)
            vectors = {layer: part[::2].mean(axis=0) - part[1::2].mean(axis=0) for layer, part in states.items()}
            signs = {layer: sign(part, vectors[layer]) for layer, part in states.items()}
            trained.append((vectors, signs, states))
            tests.append((train, test))
        for texts, (train, test), (_, _, states) in zip(groups, tests, trained, strict=True):
            chosen = [texts[i] for i in test]
            known = self.read(chosen, TESTING)
            for vectors, signs, _ in trained:
                found = self.reading(chosen, batch_size=PROJECTING, directions=vectors, known=known)
                {layer: accuracy([text[layer] for text in found], signs[layer]) for layer in known}
            both = np.stack([np.concatenate([states[layer], known[layer]]) for layer in known], axis=1)
            result.append(both[np.argsort(train + test)])
        return torch.from_numpy(np.concatenate(result))


def halves(pairs: list[int]) -> tuple[list[int], list[int]]:
    """Pairs to train on and pairs to test on."""
    cut = floor(SHARE * len(pairs))
    return pairs[:cut], pairs[cut:]


def sign(states: np.ndarray, vector: np.ndarray) -> int:
    """Whether the larger projection of a training pair is more often the positive one, pair by pair."""
    projections = projection(torch.from_numpy(states), vector)
    pairs = [projections[i : i + 2] for i in range(0, len(projections), 2)]
    smaller = np.mean([bool(min(pair) == pair[0]) for pair in pairs])
    return -1 if smaller > np.mean([bool(max(pair) == pair[0]) for pair in pairs]) else 1


def accuracy(projections: list, sign: int) -> float:
    """Share of test pairs recognised, pair by pair."""
    pairs = [projections[i : i + 2] for i in range(0, len(projections), 2)]
    better = min if sign == -1 else max
    return float(np.mean([better(pair) == pair[0] for pair in pairs]))
