"""Control measured: every condition on every target language's evaluation split, by score and by generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
import xarray as xr

from xlv.cache import Progress, silent
from xlv.control.names import BASELINE, DIRECTIONS, KINDS, OUTCOMES, REFUSAL
from xlv.control.refusal import judge, opening_words, refusal_scores
from xlv.control.search import Setting, Surface, search
from xlv.corpus.pairs import full_texts, load_instructions, load_neutral, load_pairs
from xlv.models.activations import cached_activations, read_shard
from xlv.models.load import Model
from xlv.models.steering import activation_addition, generate
from xlv.settings import ControlSettings

MISSING = -1


@dataclass
class _Found:
    outcome: dict[tuple, list[str]] = field(default_factory=dict)
    score: dict[tuple, np.ndarray] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)


def control_vectors(model: Model, settings: ControlSettings) -> tuple[dict[int, torch.Tensor], dict[int, float]]:
    """Concept vectors of the source language under the chat template, and mean residual norms, by layer."""
    table = load_pairs([settings.concept], [settings.source], pairs=settings.pairs, data=settings.folder)
    key = (settings.concept, settings.source)
    shard = cached_activations(model, {key: sum(full_texts(table), [])})[key]
    states = torch.from_numpy(read_shard(shard))
    half = len(states) // 2
    vectors = states[:half].double().mean(0) - states[half:].double().mean(0)
    norms = states.norm(dim=-1).mean(0)
    layers = range(1, model.n_layers)
    return {k: vectors[k - 1].float() for k in layers}, {k: float(norms[k - 1]) for k in layers}


def random_vectors(vectors: Mapping[int, torch.Tensor], seed: int) -> dict[int, torch.Tensor]:
    """Random directions with the norm of each layer's vector: the same dose, no concept."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {k: torch.randn(v.shape, generator=generator) for k, v in vectors.items()}
    return {k: drawn[k] * (vectors[k].norm() / drawn[k].norm()) for k in vectors}


def _conditions(
    model: Model, vectors: Mapping[int, torch.Tensor], chosen: Mapping[str, Setting], n_random: int
) -> Iterator[tuple[str, AbstractContextManager, bool]]:
    """Name, steering context and whether completions are generated, of every condition in turn."""
    yield BASELINE, nullcontext(), True
    for direction in DIRECTIONS:
        setting = chosen[direction]
        own = {k: vectors[k] for k in setting.layers}
        yield direction, activation_addition(model, own, setting.strength), True
        for seed in range(n_random):
            noise = random_vectors(own, seed)
            yield f"random {seed + 1} ({direction})", activation_addition(model, noise, setting.strength), seed == 0


def evaluate(model: Model, settings: ControlSettings, *, progress: Progress = silent) -> xr.Dataset:
    """Search on the source, then apply the settings unchanged to every target language (section 5.2).

    Returns labelled arrays: `outcome[condition, kind, target, prompt]` (index into OUTCOMES; −1: not generated),
    `score[condition, kind, target, prompt]` in nats, `search_score` and `search_divergence[direction, window, dose]`,
    the chosen `strength`, `dose` and layers a direction. No completion is kept.
    Raises ValueError for a language without instructions, and what loading the corpus raises.
    """
    vectors, norms = control_vectors(model, settings)
    split = load_instructions(settings.source, "search", limit=settings.search_prompts, data=settings.folder)
    neutral = load_neutral(settings.source, data=settings.folder)[: settings.neutral]
    surface = search(model, vectors, norms, list(split["harmful"]), neutral, settings, progress=progress)
    prompts = {
        code: load_instructions(code, "evaluation", limit=settings.prompts, data=settings.folder)
        for code in settings.targets
    }
    found, names = _Found(), []
    total = 3 + 2 * settings.random
    for done, (name, context, generated) in enumerate(_conditions(model, vectors, surface.chosen, settings.random)):
        progress("measuring control", done, total)
        names.append(name)
        with context:
            for code, table in prompts.items():
                _measure(model, name, code, table, settings, generated, found)
    progress("measuring control", total, total)
    return _dataset(found, names, surface, settings)


def _measure(
    model: Model, name: str, code: str, table, settings: ControlSettings, generated: bool, found: _Found
) -> None:
    texts = [text for kind in KINDS for text in table[kind]]
    scores = refusal_scores(model, texts, code)
    completions = generate(model, texts, max_new_tokens=settings.tokens) if generated else [None] * len(texts)
    for k, kind in enumerate(KINDS):
        part = slice(k * len(table), (k + 1) * len(table))
        found.score[name, kind, code] = scores[part]
        found.outcome[name, kind, code] = [None if c is None else judge(c, code) for c in completions[part]]
        for completion, outcome in zip(completions[part], found.outcome[name, kind, code], strict=True):
            if outcome == REFUSAL:
                words = opening_words(completion, code)
                found.words[words] = found.words.get(words, 0) + 1


def _dataset(found: _Found, names: Sequence[str], surface: Surface, settings: ControlSettings) -> xr.Dataset:
    places = ("condition", "kind", "target", "prompt")
    keys = [[[(name, kind, code) for code in settings.targets] for kind in KINDS] for name in names]
    codes = {None: MISSING, **{outcome: i for i, outcome in enumerate(OUTCOMES)}}
    outcome = np.array(
        [[[[codes[o] for o in found.outcome[k]] for k in row] for row in block] for block in keys], dtype=np.int8
    )
    score = np.array([[[found.score[k] for k in row] for row in block] for block in keys])
    grid = ("direction", "window", "dose")
    chosen = [surface.chosen[direction] for direction in DIRECTIONS]
    common = sorted(found.words.items(), key=lambda item: (-item[1], item[0]))[:20]
    return xr.Dataset(
        {
            "outcome": (places, outcome),
            "score": (places, score),
            "search_score": (grid, surface.score),
            "search_divergence": (grid, surface.divergence),
            "strength": (("direction",), [s.strength for s in chosen]),
            "chosen_dose": (("direction",), [s.dose for s in chosen]),
            "first_layer": (("direction",), [s.layers[0] for s in chosen]),
            "last_layer": (("direction",), [s.layers[-1] for s in chosen]),
            "opening_count": (("opening",), [count for _, count in common]),
        },
        coords={
            "condition": list(names),
            "kind": list(KINDS),
            "target": list(settings.targets),
            "direction": list(DIRECTIONS),
            "window": [f"{w[0]}–{w[-1]}" for w in surface.windows],
            "dose": list(settings.doses),
            "opening": [words for words, _ in common],
        },
        attrs={"source": settings.source, "concept": settings.concept, "search_baseline": surface.baseline},
    )
