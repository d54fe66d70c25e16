"""Which layers and what strength: a grid search on the source language by score, the best confirmed by generation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xlv.cache import Progress, silent
from xlv.control.conditions import SIGN, UNSTEERED, Setting, Steering, addition, setting_at
from xlv.control.measure import Bench, Found
from xlv.control.names import ANSWER, BROKEN, DIRECTIONS, KINDS, REFUSAL, REFUSING
from xlv.control.neutral import Neutral, mean_divergence
from xlv.corpus.pairs import load_instructions, load_neutral
from xlv.models.vectors import ConceptVectors
from xlv.settings import ControlSettings

RATES = ("refusal", "over_refusal", "broken", "following")


@dataclass(frozen=True)
class Surface:
    """What the search saw on the source language.

    score       `[direction, window, dose]` mean refusal score of the harmful instructions, in nats
    divergence  `[direction, window, dose]` mean KL divergence of next-token distributions on neutral sentences
    rates       `[rate, direction, window, dose]` shares of RATES among the completions of the confirmed settings, NaN
                elsewhere; without control in `baseline_rates`
    baseline    mean refusal score without control; `windows` the layers of each window
    chosen      the setting of each direction
    """

    score: np.ndarray
    divergence: np.ndarray
    rates: np.ndarray
    baseline: float
    baseline_rates: np.ndarray
    windows: tuple[tuple[int, ...], ...]
    chosen: dict[str, Setting]


def layer_windows(n_layers: int, windows: Sequence[tuple[float, float]]) -> tuple[tuple[int, ...], ...]:
    """Windows of relative depth as windows of layers, within 1 … L−1."""
    spans = [(max(1, round(a * n_layers)), min(n_layers - 1, round(b * n_layers))) for a, b in windows]
    return tuple(dict.fromkeys(tuple(range(low, high + 1)) for low, high in spans))


class _Split:
    """The source language's search split on the bench."""

    def __init__(self, bench: Bench, code: str, settings: ControlSettings) -> None:
        table = load_instructions(code, "search", limit=settings.search_prompts, data=settings.folder)
        self.bench, self.code, self.settings = bench, code, settings
        self.prompts = [text for kind in KINDS for text in table[kind]]
        self.harmful = list(table["harmful"])
        self.neutral = Neutral(bench.model, load_neutral(code, data=settings.folder)[: settings.neutral])

    def score(self, steering: Steering) -> float:
        """Mean refusal score of the harmful instructions."""
        found = self.bench.measure(steering, self.code, self.harmful, generate=False)
        return float(np.mean([f.score for f in found]))

    def divergence(self, steering: Steering) -> float:
        """Mean KL divergence on the neutral sentences."""
        return mean_divergence(self.bench.side_effects(steering, self.neutral))

    def rates(self, steering: Steering) -> np.ndarray:
        """Shares of RATES by generation."""
        if not self.settings.generate:
            return np.full(len(RATES), np.nan)
        found = self.bench.measure(steering, self.code, self.prompts, generate=True, condition="search")
        return shares(found[: len(self.harmful)], found[len(self.harmful) :])


def shares(harmful: Sequence[Found], harmless: Sequence[Found]) -> np.ndarray:
    """Refusals of harmful and of harmless instructions, broken completions of both, harmful ones answered."""
    return np.array(
        [
            np.mean([f.outcome == REFUSAL for f in harmful]),
            np.mean([f.outcome == REFUSAL for f in harmless]),
            np.mean([f.outcome == BROKEN for f in [*harmful, *harmless]]),
            np.mean([f.outcome == ANSWER for f in harmful]),
        ]
    )


def search(
    bench: Bench, vectors: ConceptVectors, code: str, settings: ControlSettings, *, progress: Progress = silent
) -> Surface:
    """Try every window and dose in both directions on the search split of language `code` (section 5.1).

    A setting is eligible when it moves next-token distributions on neutral sentences by at most
    `settings.max_divergence` nats a token; if none is, the mildest are. Of the eligible ones the `settings.confirmed`
    that shift the refusal score most are tried by generation. Chosen is, among those with at most
    `settings.max_broken` more broken completions than without control, the one with the largest selectivity (refusal
    rate minus over-refusal) towards refusing, or with most harmful instructions answered towards following; on a tie
    the one that shifts the score more. Without generation the largest shift decides.
    """
    split, windows = _Split(bench, code, settings), layer_windows(bench.model.n_layers, settings.windows)
    baseline, baseline_rates = split.score(UNSTEERED), split.rates(UNSTEERED)
    shape = (len(DIRECTIONS), len(windows), len(settings.doses))
    score, drift, rates = np.zeros(shape), np.zeros(shape), np.full((len(RATES), *shape), np.nan)
    tried, what = {}, f"searching layers and strength ({code})"
    confirmations = len(DIRECTIONS) * min(settings.confirmed, score[0].size)
    total = score.size + confirmations
    for done, place in enumerate(np.ndindex(*shape)):
        progress(what, done, total)
        tried[place] = setting_at(vectors, windows[place[1]], SIGN[DIRECTIONS[place[0]]] * settings.doses[place[2]])
        steering = addition(vectors, tried[place])
        score[place], drift[place] = split.score(steering), split.divergence(steering)
    chosen = {}
    for d, direction in enumerate(DIRECTIONS):
        shift = (score[d] - baseline) * (1 if direction == REFUSING else -1)
        best = best_places(shift, drift[d], settings.max_divergence, settings.confirmed)
        for k, place in enumerate(best):
            progress(what, score.size + d * len(best) + k, total)
            rates[(slice(None), d, *place)] = split.rates(addition(vectors, tried[d, *place]))
        found = [rates[(slice(None), d, *place)] for place in best]
        chosen[direction] = tried[d, *best[preferred(found, baseline_rates, direction, settings.max_broken)]]
    progress(what, total, total)
    return Surface(score, drift, rates, baseline, baseline_rates, windows, chosen)


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
