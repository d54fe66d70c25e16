"""Results of question 4 made up: who is refused under which condition is known, and what a gate reads."""

import numpy as np
import xarray as xr

from xlv.schema import ADDITION, BASELINE, DIRECTIONS, FOLLOWING, KINDS, NOTHING, RANDOM, REFUSING

TARGETS = ("en", "zh", "fr", "ta")
CONDITIONS = [(BASELINE, NOTHING, "", "", "")]
CONDITIONS += [(d, ADDITION, d, "en", "harmfulness") for d in DIRECTIONS]
CONDITIONS += [(f"sentiment vector ({d})", ADDITION, d, "en", "sentiment") for d in DIRECTIONS]
CONDITIONS += [(f"random 1 ({d})", RANDOM, d, "en", "harmfulness") for d in DIRECTIONS]
RATES = {BASELINE: (0.4, 0.2), REFUSING: (0.9, 0.7), FOLLOWING: (0.05, 0.0)}  # of harmful and harmless instructions


def made(ids=range(25, 105), *, rates=RATES, harm=3.0, deaf=("ta",), seed=0, broken=None) -> xr.Dataset:
    """Refusals at `rates` by condition, others as without control; a projection that is `harm` higher for harm.

    In the languages `deaf` refusal scores do not respond to harm. `broken` by condition: shares of completions.
    """
    random, (n, t) = np.random.default_rng(seed), (len(ids), len(TARGETS))
    names = [row[0] for row in CONDITIONS]
    drawn = random.uniform(size=(2, t, n))  # the same for all conditions: who is nearest to a refusal goes first
    levels = [np.reshape(rates.get(name, rates[BASELINE]), (2, 1, 1)) for name in names]
    outcome = np.stack([(drawn < level).astype(int) for level in levels])
    for name, share in (broken or {}).items():
        outcome[names.index(name)][random.uniform(size=drawn.shape) < share] = 2
    harmful = np.array([1.0, 0.0])[:, None, None]
    prompt = ("condition", "kind", "target", "prompt")
    split = random.normal(size=(2, t, 24))
    score = split + 2 * harmful * ~np.isin(TARGETS, deaf)[:, None]
    return xr.Dataset(
        {
            "outcome": (prompt, outcome),
            "faithful": (prompt, np.ones_like(outcome)),
            "score": (prompt, random.normal(size=outcome.shape)),
            "projection": (("searched", *prompt[1:]), (random.normal(size=(2, t, n)) + harm * harmful)[None]),
            "split_projection": (("searched", "kind", "target", "split_prompt"), (split + harm * harmful)[None]),
            "split_score": (("kind", "target", "split_prompt"), score),
            "gate_threshold": ("searched", [harm / 2]),
        },
        {
            "condition": names,
            **{
                what: ("condition", [row[k] for row in CONDITIONS])
                for k, what in enumerate(("method", "direction", "source", "concept"), 1)
            },
            "draw": ("condition", [0 if row[1] == RANDOM else -1 for row in CONDITIONS]),
            "kind": list(KINDS),
            "target": list(TARGETS),
            "prompt": list(ids),
            "searched": ["en"],
        },
        {"source": "en", "concept": "harmfulness", "title": "Made up", "model": "made"},
    )
