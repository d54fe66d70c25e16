"""What an evaluation measured, as labelled arrays."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xlv.control.conditions import Condition
from xlv.control.measure import Found
from xlv.control.names import DIRECTIONS, KINDS, OUTCOMES
from xlv.control.neutral import Effect
from xlv.control.search import RATES, Surface
from xlv.settings import ControlSettings

MISSING = -1
_PLACES = ("condition", "kind", "target", "prompt")


@dataclass
class Measured:
    """All that an evaluation measured.

    `found` by condition name and target, harmful prompts first, then as many harmless ones; `response` by direction,
    dose and target; `effects` on neutral sentences by condition name and language; `surfaces` by source.
    """

    conditions: list[Condition]
    surfaces: dict[str, Surface]
    found: dict[tuple[str, str], list[Found]]
    response: dict[tuple[str, float, str], list[Found]]
    effects: dict[tuple[str, str], list[Effect]]


def control_arrays(measured: Measured, settings: ControlSettings) -> xr.Dataset:
    """The results of question 4.

    score      `[condition, kind, target, prompt]` refusal score in nats; NaN: not measured
    outcome    … index into OUTCOMES; −1: not generated
    faithful   … whether the completion is in the prompt's language (1, 0); −1: not generated, or cannot be told
    response_score  `[direction, response_dose, kind, target, prompt]` refusal score by dose
    neutral_divergence, neutral_nats, neutral_tokens  `[condition, neutral_language, sentence]` sums over a sentence
    search_score, search_divergence  `[source, direction, window, dose]`; search_rate `[rate, source, …]`
    strength, chosen_dose, first_layer, last_layer  `[source, direction]`
    """
    parts = [
        _outcomes(measured, settings),
        _responses(measured.response, settings),
        _neutral(measured),
        _search(measured.surfaces, settings),
        _openings(measured.found),
    ]
    dataset = xr.merge(parts, join="exact", compat="no_conflicts")
    return dataset.assign_attrs(source=settings.source, concept=settings.concept, judge=settings.judge)


def _split_kinds(found: Sequence[Found], value, width: int, fill: float) -> np.ndarray:
    """Values `[kind, prompt]` of prompts listed kind by kind, padded to `width` prompts."""
    array = np.full((len(KINDS), width), fill)
    half = len(found) // len(KINDS)
    array[:, :half] = np.reshape([value(f) for f in found], (len(KINDS), half))
    return array


def _outcomes(measured: Measured, settings: ControlSettings) -> xr.Dataset:
    names = [c.name for c in measured.conditions]
    width = max(len(found) for found in measured.found.values()) // len(KINDS)
    codes = {None: MISSING, **{outcome: i for i, outcome in enumerate(OUTCOMES)}}

    def stacked(value, fill: float) -> np.ndarray:
        cells = [[_split_kinds(measured.found[n, t], value, width, fill) for t in settings.targets] for n in names]
        return np.array(cells).transpose(0, 2, 1, 3)

    return xr.Dataset(
        {
            "score": (_PLACES, stacked(lambda f: f.score, np.nan)),
            "outcome": (_PLACES, stacked(lambda f: codes[f.outcome], MISSING).astype(np.int8)),
            "faithful": (
                _PLACES,
                stacked(lambda f: MISSING if f.faithful is None else f.faithful, MISSING).astype(np.int8),
            ),
        },
        coords={
            "condition": names,
            "means": ("condition", [c.means for c in measured.conditions]),
            "effect": ("condition", [c.effect for c in measured.conditions]),
            "kind": list(KINDS),
            "target": list(settings.targets),
        },
    )


def _responses(response: Mapping[tuple[str, float, str], list[Found]], settings: ControlSettings) -> xr.Dataset:
    width = max(len(found) for found in response.values()) // len(KINDS)
    cells = [
        [
            [_split_kinds(response[d, dose, code], lambda f: f.score, width, np.nan) for code in settings.targets]
            for dose in settings.response_doses
        ]
        for d in DIRECTIONS
    ]
    dims = ("direction", "response_dose", "kind", "target", "response_prompt")
    return xr.Dataset(
        {"response_score": (dims, np.array(cells).transpose(0, 1, 3, 2, 4))},
        coords={"direction": list(DIRECTIONS), "response_dose": list(settings.response_doses)},
    )


def _neutral(measured: Measured) -> xr.Dataset:
    names = [c.name for c in measured.conditions]
    codes = list(dict.fromkeys(code for _, code in measured.effects))
    width = max(len(effects) for effects in measured.effects.values())
    array = np.full((len(names), len(codes), width, 3), np.nan)
    for (name, code), effects in measured.effects.items():
        array[names.index(name), codes.index(code), : len(effects)] = effects
    places = ("condition", "neutral_language", "sentence")
    parts = ("neutral_divergence", "neutral_nats", "neutral_tokens")
    return xr.Dataset(
        {part: (places, array[..., k]) for k, part in enumerate(parts)},
        coords={"condition": names, "neutral_language": codes},
    )


def _search(surfaces: Mapping[str, Surface], settings: ControlSettings) -> xr.Dataset:
    grid, places = ("source", "direction", "window", "dose"), ("source", "direction")
    found = list(surfaces.values())
    chosen = [[surface.chosen[direction] for direction in DIRECTIONS] for surface in found]
    return xr.Dataset(
        {
            "search_score": (grid, np.stack([s.score for s in found])),
            "search_divergence": (grid, np.stack([s.divergence for s in found])),
            "search_rate": (("rate", *grid), np.stack([s.rates for s in found], axis=1)),
            "search_baseline": (("source",), [s.baseline for s in found]),
            "search_baseline_rate": (("rate", "source"), np.stack([s.baseline_rates for s in found], axis=1)),
            "strength": (places, [[s.strength for s in row] for row in chosen]),
            "chosen_dose": (places, [[s.dose for s in row] for row in chosen]),
            "first_layer": (places, [[s.layers[0] for s in row] for row in chosen]),
            "last_layer": (places, [[s.layers[-1] for s in row] for row in chosen]),
        },
        coords={
            "source": list(surfaces),
            "direction": list(DIRECTIONS),
            "rate": list(RATES),
            "window": [f"{w[0]}–{w[-1]}" for w in found[0].windows],
            "dose": list(settings.doses),
        },
    )


def _openings(found: Mapping[tuple[str, str], list[Found]]) -> xr.Dataset:
    """The commonest opening words of refusals, with counts."""
    openings = Counter(f.opening for cell in found.values() for f in cell if f.opening)
    common = sorted(openings.items(), key=lambda item: (-item[1], item[0]))[:20]
    return xr.Dataset(
        {"opening_count": (("opening",), [count for _, count in common])},
        coords={"opening": [words for words, _ in common]},
    )
