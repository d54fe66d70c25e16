"""Concept vectors that can be kept: of one concept in one language, with where they come from."""

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from xlv import __version__
from xlv.cache import fingerprint, whole_file
from xlv.corpus.concepts import CONCEPTS
from xlv.corpus.pairs import full_texts, load_pairs
from xlv.models.activations import cached_activations, read_shard
from xlv.models.load import load_model
from xlv.models.model import Model, as_model
from xlv.models.presets import PRESETS
from xlv.models.steering import chosen, directional_ablation, steer
from xlv.statistics.vectors import concept_vectors as diffmean

_HEADER = "xlv"


@dataclass(frozen=True)
class ConceptVectors:
    """Concept vectors of one language (DiffMean, section 3.1 of the paper), pointing to the side of the value.

    layers  layer 1 … L → vector `[d_model]` in fp32
    norms   layer → mean norm of the residual stream over the texts, the unit of doses
    origin  model, its licence and weights, concept, language, template, dtype, number of pairs, hash of the texts, and
            what the `positive` and the `negative` side is
    """

    layers: Mapping[int, torch.Tensor]
    norms: Mapping[int, float]
    origin: Mapping[str, str]

    @property
    def key(self) -> str:
        """What distinguishes these vectors from others of one model: concept, language and a hash of the texts."""
        return f"{self.origin['concept']} {self.origin['language']} {self.origin['texts']}"

    def at(self, layers: Iterable[int]) -> dict[int, torch.Tensor]:
        """The vectors of some layers; raises ValueError for one that there is not."""
        return chosen(self.layers, layers)

    def apply(self, model: Model, strength: float, layers: Iterable[int] | None = None) -> AbstractContextManager[None]:
        """Steer a model while the context lasts; see `steer`."""
        return steer(model, self, strength, layers)

    def ablate(self, model: Model, layer: int | None = None) -> AbstractContextManager[None]:
        """Take the direction of one layer's vector, by default at 60 % of the depth, out of everything a model writes.

        See `directional_ablation`. Raises ValueError for a layer that there is not.
        """
        layer = round(0.6 * max(self.layers)) if layer is None else layer
        return directional_ablation(model, self.at([layer])[layer])

    def save(self, path: Path | str) -> None:
        """Write a safetensors file, whole or not at all: a tensor `layer.K` per layer, the rest in a JSON header."""
        tensors = {f"layer.{k}": vector.float().clone() for k, vector in self.layers.items()}
        norms = {str(k): norm for k, norm in self.norms.items()}
        about = {"origin": dict(self.origin), "norms": norms, "version": __version__}
        with whole_file(Path(path)) as temporary:
            save_file(tensors, temporary, metadata={_HEADER: json.dumps(about, ensure_ascii=False)})

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote; raises ValueError for a file that is missing, damaged or of another kind."""
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})[_HEADER])
                names = {int(name.removeprefix("layer.")): name for name in file.keys()}  # noqa: SIM118
                layers = {k: file.get_tensor(names[k]) for k in sorted(names)}
            norms = {int(k): float(v) for k, v in about["norms"].items()}
            origin = {str(name): str(value) for name, value in about["origin"].items()}
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} holds no concept vectors ({error}): expected a file that xlv saved") from None
        if not layers or norms.keys() != layers.keys() or len({tuple(v.shape) for v in layers.values()}) != 1:
            raise ValueError(f"{path}: expected a vector and a norm per layer, all vectors of one width")
        return cls(layers, norms, origin)


def concept_vectors(
    model: Model | Path | str,
    concept: str,
    language: str,
    *,
    pairs: int | None = None,
    cohort: str = "all",
    data: Path | str | None = None,
) -> ConceptVectors:
    """Vectors of a concept in a language, layers 1 … L, from the pairs of a corpus (None: the built-in one).

    `model` is a loaded model or a name; `pairs` keeps the first so many of the `cohort`. States are read from the cache
    where they are there. Raises CorpusError (a ValueError) where the corpus lacks the concept or the language.
    """
    loaded = load_model(str(model)) if isinstance(model, str | Path) else as_model(model)
    table = load_pairs([concept], [language], pairs=pairs, cohort=cohort, data=Path(data) if data else None)
    texts = sum(full_texts(table), [])
    states = read_shard(cached_activations(loaded, {(concept, language): texts})[concept, language])
    half = len(states) // 2
    vectors = torch.from_numpy(diffmean(states[:half], states[half:])).float()
    norms = np.linalg.norm(states, axis=-1).mean(axis=0)
    known, preset = CONCEPTS.get(concept), PRESETS.get(loaded.name)
    origin = {
        "model": loaded.name,
        "licence": preset.licence if preset else "see the model's own card",
        "weights": loaded.weights_fingerprint,
        "concept": concept,
        "language": language,
        "template": loaded.template,
        "dtype": loaded.dtype,
        "pairs": str(half),
        "texts": fingerprint(texts),
        "positive": known.positive if known else "the corpus's positive texts",
        "negative": known.negative if known else "the corpus's negative texts",
    }
    return ConceptVectors(dict(enumerate(vectors, 1)), dict(enumerate(norms.tolist(), 1)), origin)


def random_vectors(vectors: Mapping[int, torch.Tensor], seed: int) -> dict[int, torch.Tensor]:
    """Random directions with the norm of each layer's vector: the same dose, no concept."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {k: torch.randn(v.shape, generator=generator) for k, v in vectors.items()}
    return {k: drawn[k] * (vectors[k].norm() / drawn[k].norm()) for k in vectors}
