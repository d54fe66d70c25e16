"""Control measured: every condition on every target language's evaluation split, by score and by generation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
import xarray as xr

from xlv.analysis.vectors import concept_vectors
from xlv.cache import Progress, silent
from xlv.control.journal import Journal
from xlv.control.names import BASELINE, DIRECTIONS, KINDS, OUTCOMES, REFUSAL
from xlv.control.refusal import judge, opening_words, refusal_scores
from xlv.control.search import Setting, Surface, search
from xlv.corpus.pairs import full_texts, load_instructions, load_neutral, load_pairs
from xlv.models.activations import cached_activations, read_shard
from xlv.models.load import Model
from xlv.models.steering import activation_addition, generate
from xlv.settings import ControlSettings

MISSING = -1


def control_vectors(model: Model, settings: ControlSettings) -> tuple[dict[int, torch.Tensor], dict[int, float]]:
    """Concept vectors of the source language under the chat template, and mean residual norms, by layer."""
    table = load_pairs([settings.concept], [settings.source], pairs=settings.pairs, data=settings.folder)
    key = (settings.concept, settings.source)
    shard = cached_activations(model, {key: sum(full_texts(table), [])})[key]
    states = read_shard(shard)
    half = len(states) // 2
    vectors = torch.from_numpy(concept_vectors(states[:half], states[half:]))
    norms = np.linalg.norm(states, axis=-1).mean(axis=0)
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
            yield f"random {seed + 1} ({direction})", activation_addition(model, noise, setting.strength), False


def evaluate(
    model: Model, settings: ControlSettings, *, journal: Journal | None = None, progress: Progress = silent
) -> xr.Dataset:
    """Search on the source, then apply the settings unchanged to every target language (section 5.2).

    Returns labelled arrays: `outcome[condition, kind, target, prompt]` (index into OUTCOMES; −1: not generated),
    `score[condition, kind, target, prompt]` in nats, `search_score` and `search_divergence[direction, window, dose]`,
    the chosen `strength`, `dose` and layers a direction. No completion is kept. What is measured goes into the
    `journal` piece by piece, so that an interrupted run can go on.
    Raises ValueError for a language without instructions, and what loading the corpus raises.
    """
    journal = journal or Journal()
    vectors, norms = control_vectors(model, settings)
    split = load_instructions(settings.source, "search", limit=settings.search_prompts, data=settings.folder)
    neutral = load_neutral(settings.source, data=settings.folder)[: settings.neutral]
    harmful = list(split["harmful"])
    surface = search(model, vectors, norms, harmful, neutral, settings, journal=journal, progress=progress)
    prompts = {
        code: load_instructions(code, "evaluation", limit=settings.prompts, data=settings.folder)
        for code in settings.targets
    }
    measured, names = {}, []
    total = (1 + len(DIRECTIONS) * (1 + settings.random)) * len(prompts)
    for name, context, generated in _conditions(model, vectors, surface.chosen, settings.random):
        names.append(name)
        with context:
            for code, table in prompts.items():
                progress("measuring control", len(measured), total)
                texts = [text for kind in KINDS for text in table[kind]]
                tokens = settings.tokens if generated else 0
                measured[name, code] = journal.recall(f"{name} {code}", partial(_measure, model, code, texts, tokens))
    progress("measuring control", total, total)
    return _dataset(measured, names, surface, settings)


def _measure(model: Model, code: str, texts: Sequence[str], tokens: int) -> dict[str, list]:
    """Score and class of each prompt (class None when no tokens are generated), and refusals' opening words."""
    score = refusal_scores(model, texts, code).tolist()
    if not tokens:
        return {"score": score, "outcome": [None] * len(texts), "openings": []}
    completions = generate(model, texts, max_new_tokens=tokens)
    outcome = [judge(completion, code) for completion in completions]
    refusals = [c for c, o in zip(completions, outcome, strict=True) if o == REFUSAL]
    return {"score": score, "outcome": outcome, "openings": [opening_words(c, code) for c in refusals]}


def _dataset(
    measured: Mapping[tuple[str, str], dict], names: Sequence[str], surface: Surface, settings: ControlSettings
) -> xr.Dataset:
    places = ("condition", "kind", "target", "prompt")
    codes = {None: MISSING, **{outcome: i for i, outcome in enumerate(OUTCOMES)}}

    def stacked(part: str, convert, dtype: type) -> np.ndarray:
        rows = [[[convert(v) for v in measured[name, code][part]] for code in settings.targets] for name in names]
        array = np.array(rows, dtype=dtype)  # [condition, target, kind × prompt]
        return array.reshape(*array.shape[:2], len(KINDS), -1).transpose(0, 2, 1, 3)

    grid = ("direction", "window", "dose")
    chosen = [surface.chosen[direction] for direction in DIRECTIONS]
    openings = Counter(words for found in measured.values() for words in found["openings"])
    common = sorted(openings.items(), key=lambda item: (-item[1], item[0]))[:20]
    return xr.Dataset(
        {
            "outcome": (places, stacked("outcome", codes.__getitem__, np.int8)),
            "score": (places, stacked("score", float, np.float64)),
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
