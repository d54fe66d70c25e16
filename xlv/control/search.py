"""Which layers and what strength: a grid search on the source language, scored without generating."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from xlv.cache import Progress, silent
from xlv.control.journal import Journal
from xlv.control.names import DIRECTIONS, FOLLOWING, REFUSING
from xlv.control.refusal import refusal_scores
from xlv.models.load import Model
from xlv.models.steering import activation_addition, relative_dose
from xlv.settings import ControlSettings

# The positive side of harmfulness is the harmless one, so adding the vector lowers refusals.
SIGN = {REFUSING: -1.0, FOLLOWING: 1.0}


@dataclass(frozen=True)
class Setting:
    """Layers K and strength s of a control direction; `dose` is |s|·‖v‖ over the mean residual norm."""

    layers: tuple[int, ...]
    strength: float
    dose: float


@dataclass(frozen=True)
class Surface:
    """What the search saw on the source language.

    score       `[direction, window, dose]` mean refusal score of the harmful instructions, in nats
    divergence  `[direction, window, dose]` mean KL divergence of next-token distributions on neutral sentences
    baseline    mean refusal score without control; `windows` the layers of each window
    chosen      the setting of each direction: the largest shift among those whose divergence is in bounds
    """

    score: np.ndarray
    divergence: np.ndarray
    baseline: float
    windows: tuple[tuple[int, ...], ...]
    chosen: dict[str, Setting]


def layer_windows(n_layers: int, windows: Sequence[tuple[float, float]]) -> tuple[tuple[int, ...], ...]:
    """Windows of relative depth as windows of layers, within 1 … L−1."""
    spans = [(max(1, round(a * n_layers)), min(n_layers - 1, round(b * n_layers))) for a, b in windows]
    return tuple(dict.fromkeys(tuple(range(low, high + 1)) for low, high in spans))


@torch.inference_mode()
def next_token_logs(model: Model, texts: Sequence[str]) -> list[torch.Tensor]:
    """Log-probabilities `[token, vocabulary]` of the next token at every place of each raw text."""
    rows = model.with_template("raw").token_ids(list(texts))
    device = model.network.device
    logits = (model.network(input_ids=torch.tensor([ids], device=device)).logits[0] for ids in rows)
    return [logit.float().log_softmax(-1) for logit in logits]


def divergence(model: Model, texts: Sequence[str], reference: Sequence[torch.Tensor]) -> float:
    """Mean KL divergence in nats per token from the unsteered `reference` to the model as it is steered now."""
    parts = [
        (before.exp() * (before - after)).sum(-1)
        for before, after in zip(reference, next_token_logs(model, texts), strict=True)
    ]
    return float(torch.cat(parts).mean())


def _measure(model: Model, harmful: Sequence[str], neutral: Sequence[str], reference, code: str) -> list[float]:
    return [float(refusal_scores(model, harmful, code).mean()), divergence(model, neutral, reference)]


def search(
    model: Model,
    vectors: Mapping[int, torch.Tensor],
    residual_norms: Mapping[int, float],
    harmful: Sequence[str],
    neutral: Sequence[str],
    settings: ControlSettings,
    *,
    journal: Journal | None = None,
    progress: Progress = silent,
) -> Surface:
    """Try every window and dose in both directions on the source language's search split (section 5.1).

    `vectors` and `residual_norms` map layers to concept vectors and mean norms. A setting is eligible when it moves
    next-token distributions on neutral sentences by at most `settings.max_divergence` nats a token; if none is,
    the mildest is taken.
    """
    journal = journal or Journal()
    windows = layer_windows(model.n_layers, settings.windows)
    reference = next_token_logs(model, neutral)
    baseline = float(refusal_scores(model, harmful, settings.source).mean())
    shape = (len(DIRECTIONS), len(windows), len(settings.doses))
    score, drift, strengths = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for done, place in enumerate(np.ndindex(*shape)):
        progress("searching layers and strength", done, score.size)
        direction, layers, dose = DIRECTIONS[place[0]], windows[place[1]], settings.doses[place[2]]
        chosen = {layer: vectors[layer] for layer in layers}
        strengths[place] = SIGN[direction] * dose / relative_dose(chosen, 1.0, residual_norms)
        with activation_addition(model, chosen, strengths[place]):
            measure = partial(_measure, model, harmful, neutral, reference, settings.source)
            score[place], drift[place] = journal.recall(f"search {place}", measure)
    progress("searching layers and strength", score.size, score.size)
    chosen = {}
    for d, direction in enumerate(DIRECTIONS):
        shift = -SIGN[direction] * (score[d] - baseline)
        eligible = drift[d] <= settings.max_divergence
        ranked = np.where(eligible, shift, -np.inf) if eligible.any() else -drift[d]
        w, k = np.unravel_index(int(ranked.argmax()), ranked.shape)
        chosen[direction] = Setting(windows[w], float(strengths[d, w, k]), settings.doses[k])
    return Surface(score, drift, baseline, windows, chosen)
