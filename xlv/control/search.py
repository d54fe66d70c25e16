"""Which layers and what strength: a grid search on the source language by score, the best confirmed by generation."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from xlv.cache import Progress, counted, fingerprint, silent
from xlv.control.conditions import SIGN, UNSTEERED, Setting, Steering, addition, setting_at
from xlv.control.measure import Bench, Neutral
from xlv.corpus.pairs import load_instructions, load_neutral
from xlv.models.steering import Gate
from xlv.models.vectors import ConceptVectors
from xlv.schema import ANSWER, BROKEN, DIRECTIONS, EFFECT, KINDS, POOLED, REFUSAL, REFUSING
from xlv.settings import ControlSettings
from xlv.statistics.vectors import midpoint, separation

# Shares of completions: harmful and harmless instructions refused, broken of both, harmful ones answered.
RATES = ("refusal", "over_refusal", "broken", "following")


class Searched(NamedTuple):
    """The setting chosen for each direction, and what is stored of the search: arrays as in SCHEMA, of one source."""

    chosen: dict[str, Setting]
    seen: dict[str, np.ndarray]


def layer_windows(n_layers: int, windows: Sequence[tuple[float, float]]) -> tuple[tuple[int, ...], ...]:
    """Windows of relative depth as windows of layers, within 1 … L−1."""
    spans = [(max(1, round(a * n_layers)), min(n_layers - 1, round(b * n_layers))) for a, b in windows]
    if empty := [window for (low, high), window in zip(spans, windows, strict=True) if low > high]:
        span = "-".join(f"{share:g}" for share in empty[0])
        raise ValueError(
            f"no layer to steer in the span {span} of the depth: only those before the last of {n_layers} can"
        )
    return tuple(dict.fromkeys(tuple(range(low, high + 1)) for low, high in spans))


class _Split:
    """The source language's search split on the bench."""

    def __init__(self, bench: Bench, code: str, settings: ControlSettings) -> None:
        table = load_instructions(code, "search", limit=settings.search.prompts, data=settings.folder)
        self.bench, self.code, self.generate = bench, code, settings.is_generated(code)
        self.harmful, self.harmless = (list(table[kind]) for kind in KINDS)
        self.neutral = Neutral(bench.model, load_neutral(code, data=settings.folder)[: settings.search.neutral])

    def score(self, steering: Steering) -> float:
        found = self.bench.measure(steering, self.code, self.harmful, generate=False)
        return float(np.mean([reading.score for reading in found]))

    def divergence(self, steering: Steering) -> float:
        effects = self.bench.side_effects(steering, self.neutral)
        return sum(effect[0] for effect in effects) / sum(effect[2] for effect in effects)

    def rates(self, steering: Steering) -> np.ndarray:
        if not self.generate:
            return np.full(len(RATES), np.nan)
        prompts = self.harmful + self.harmless
        found = self.bench.measure(steering, self.code, prompts, generate=True, condition="search")
        outcomes = np.array([reading.outcome for reading in found])
        harmful, harmless = np.split(outcomes, [len(self.harmful)])
        marks = (harmful == REFUSAL, harmless == REFUSAL, outcomes == BROKEN, harmful == ANSWER)
        return np.array([mark.mean() for mark in marks])


def pooled_vectors(several: Sequence[ConceptVectors], norms: Mapping[int, float]) -> ConceptVectors:
    """The mean of a concept's vectors in several languages; doses are in units of some mean residual `norms`."""
    layers = {k: torch.stack([one.layers[k] for one in several]).mean(dim=0) for k in several[0].layers}
    origin = {**several[0].origin, "language": POOLED, "texts": fingerprint([one.key for one in several])}
    return ConceptVectors(layers, norms, origin)


def searched_in(vectors: ConceptVectors, settings: ControlSettings) -> str:
    """The language on whose search split vectors are searched: theirs, the main source for pooled ones."""
    code = vectors.origin["language"]
    return settings.source if code == POOLED else code


def gate_for(bench: Bench, vectors: ConceptVectors, settings: ControlSettings) -> Gate:
    """A gate that opens for prompts of which vectors say that they are harmful, on the search split of their language.

    It reads towards harm, away from the positive side of the concept, in the layer 1 … L−1 where d′ of both kinds of
    instruction is largest; its threshold lies half-way between their means.
    """
    table = load_instructions(
        searched_in(vectors, settings), "search", limit=settings.search.prompts, data=settings.folder
    )
    towards = {k: -v / v.norm() for k, v in vectors.layers.items() if k < bench.model.n_layers}
    read = bench.heights(
        [(vectors.key, *direction) for direction in towards.items()], sum((list(table[k]) for k in KINDS), [])
    )
    harmful, harmless = np.split(read, 2)
    best = int(separation(harmful, harmless).argmax())
    layer = list(towards)[best]
    return Gate(towards[layer], layer, midpoint(harmful[:, best], harmless[:, best]))


def search(
    bench: Bench, vectors: ConceptVectors, settings: ControlSettings, *, progress: Progress = silent
) -> Searched:
    """Try every window and dose in both directions on the search split of the vectors' language (section 5.1).

    A setting is eligible when it moves next-token distributions on neutral sentences by at most `max_divergence`
    nats per token; if none is, the mildest are. Of the eligible ones the `confirmed` that shift the refusal score most
    are tried by generation. Chosen is, among those with at most `max_broken` more broken completions than without
    control, the one with the largest selectivity (refusal rate minus over-refusal) towards refusing, or with most
    harmful instructions answered towards following; on a tie the one that shifts the score more. Without generation
    the largest shift decides. The bounds are those of `settings.search`.
    """
    wanted, code = settings.search, searched_in(vectors, settings)
    split = _Split(bench, code, settings)
    windows = layer_windows(bench.model.n_layers, wanted.windows)
    baseline, baseline_rates = split.score(UNSTEERED), split.rates(UNSTEERED)
    shape = (len(DIRECTIONS), len(windows), len(wanted.doses))
    score, drift, rates = np.zeros(shape), np.zeros(shape), np.full((len(RATES), *shape), np.nan)
    tried, chosen = {}, {}
    for place in counted(list(np.ndindex(*shape)), f"searching layers and strength ({code})", progress):
        towards, window, dose = place
        tried[place] = setting_at(vectors, windows[window], SIGN[DIRECTIONS[towards]] * wanted.doses[dose])
        steering = addition(vectors, tried[place])
        score[place], drift[place] = split.score(steering), split.divergence(steering)
    for d, direction in enumerate(DIRECTIONS):
        shift = (score[d] - baseline) * EFFECT[direction]
        best = [(d, *place) for place in best_places(shift, drift[d], wanted.max_divergence, wanted.confirmed)]
        for place in counted(best, f"confirming layers and strength {direction} ({code})", progress):
            rates[(slice(None), *place)] = split.rates(addition(vectors, tried[place]))
        found = [rates[(slice(None), *place)] for place in best]
        chosen[direction] = tried[best[preferred(found, baseline_rates, direction, wanted.max_broken)]]
    settled = list(chosen.values())
    seen = {"search_score": score, "search_divergence": drift, "search_rate": rates}
    seen |= {"search_baseline": baseline, "search_baseline_rate": baseline_rates}
    seen |= {"strength": [s.strength for s in settled], "chosen_dose": [s.dose for s in settled]}
    seen |= {"first_layer": [s.layers[0] for s in settled], "last_layer": [s.layers[-1] for s in settled]}
    return Searched(chosen, {name: np.array(values) for name, values in seen.items()})


def best_places(shift: np.ndarray, drift: np.ndarray, bound: float, count: int) -> list[tuple[int, ...]]:
    """The places with the largest shift among those with a drift in bounds, or with the least drift if none is."""
    eligible = drift <= bound
    ranked = np.where(eligible, shift, -np.inf) if eligible.any() else -drift
    order = np.argsort(-ranked, axis=None, kind="stable")[: min(count, max(1, int(eligible.sum())))]
    return [tuple(int(i) for i in np.unravel_index(place, shift.shape)) for place in order]


def preferred(found: Sequence[np.ndarray], baseline: np.ndarray, direction: str, max_broken: float) -> int:
    """Index of the best of some settings, given in order of shift, by their shares; 0 where nothing was generated."""
    if np.isnan(found[0]).any():
        return 0
    refusal, over_refusal, broken, following = np.transpose(found)
    worth = refusal - over_refusal if direction == REFUSING else following
    whole = broken <= baseline[RATES.index("broken")] + max_broken
    return int(np.where(whole, worth, -np.inf).argmax()) if whole.any() else int(broken.argmin())
