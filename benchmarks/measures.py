"""Rounds, medians, ratios and fits: how timings are taken and summed up."""

from collections.abc import Callable, Sequence
from statistics import median

import numpy as np


def rounds(names: Sequence[str], repeats: int) -> list[list[str]]:
    """The order of each round: all contenders in turn, each round beginning one further on."""
    return [[*names[start % len(names) :], *names[: start % len(names)]] for start in range(repeats)]


def interleaved(
    names: Sequence[str], repeats: int, once: Callable[[str], float], failed: Callable[[str, Exception], None]
) -> dict[str, list[float]]:
    """Seconds of every contender in every round; one that fails is reported and takes no further part."""
    times: dict[str, list[float]] = {name: [] for name in names}
    for order in rounds(names, repeats):
        for name in order:
            if name not in times:
                continue
            try:
                times[name].append(once(name))
            except RuntimeError as error:
                del times[name]
                failed(name, error)
    return times


def summary(times: Sequence[float]) -> dict[str, float]:
    """Median, least and most of timings in seconds."""
    return {"seconds": median(times), "low": min(times), "high": max(times)}


def line(sizes: Sequence[float], seconds: Sequence[float]) -> dict[str, float]:
    """Least-squares line of seconds on size: what each one more costs, what there is at none, and R²."""
    slope, start = np.polyfit(sizes, seconds, 1)
    rest = np.asarray(seconds) - (slope * np.asarray(sizes) + start)
    spread = np.square(seconds - np.mean(seconds)).sum()
    explained = 1 - np.square(rest).sum() / spread if spread else 1.0
    return {"slope": float(slope), "start": float(start), "r2": float(explained)}


def deviation(states: np.ndarray, expected: np.ndarray) -> float:
    """Largest distance of any text's state at any layer from the expected one, relative to the latter's norm."""
    distance = np.linalg.norm(states - expected, axis=-1)
    return float((distance / np.linalg.norm(expected, axis=-1)).max())


def shared(completions: Sequence[str], expected: Sequence[str]) -> float:
    """Share of completions that equal the expected ones."""
    return sum(one == two for one, two in zip(completions, expected, strict=True)) / len(expected)
