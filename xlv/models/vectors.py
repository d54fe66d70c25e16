"""Vectors to steer with: of a concept in a language, under the model's template, and random ones of equal norm."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from xlv.cache import fingerprint
from xlv.corpus.pairs import full_texts, load_pairs
from xlv.models.activations import cached_activations, read_shard
from xlv.models.load import Model
from xlv.settings import ControlSettings
from xlv.statistics.vectors import concept_vectors


@dataclass(frozen=True)
class ConceptVectors:
    """Concept vectors of one language by layer 1 … L−1.

    `origin` tells them from others (concept, language and a hash of the texts); `norms` are mean norms of the residual
    stream over the texts, the unit of doses.
    """

    origin: str
    layers: Mapping[int, torch.Tensor]
    norms: Mapping[int, float]


def control_vectors(model: Model, concept: str, code: str, settings: ControlSettings) -> ConceptVectors:
    """Vectors of a concept in a language from the corpus's pairs; raises CorpusError where it has none."""
    table = load_pairs([concept], [code], pairs=settings.pairs, data=settings.folder)
    texts = sum(full_texts(table), [])
    states = read_shard(cached_activations(model, {(concept, code): texts})[concept, code])
    half = len(states) // 2
    vectors = torch.from_numpy(concept_vectors(states[:half], states[half:])).float()
    norms = np.linalg.norm(states, axis=-1).mean(axis=0)
    layers = range(1, model.n_layers)
    return ConceptVectors(
        f"{concept} {code} {fingerprint(texts)}",
        {k: vectors[k - 1] for k in layers},
        {k: float(norms[k - 1]) for k in layers},
    )


def random_vectors(vectors: Mapping[int, torch.Tensor], seed: int) -> dict[int, torch.Tensor]:
    """Random directions with the norm of each layer's vector: the same dose, no concept."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {k: torch.randn(v.shape, generator=generator) for k, v in vectors.items()}
    return {k: drawn[k] * (vectors[k].norm() / drawn[k].norm()) for k in vectors}
