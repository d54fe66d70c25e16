"""The analysis on planted states of a model's shape, made layer by layer as activations are read."""

import time

import numpy as np
from loading import memory, reset_peak

from xlv.questions.analysis import across, analyse_concepts
from xlv.statistics.vectors import Layers

FIRST = 1 / 3  # of the pairs: the first cohort


def planted(concept: int, texts: np.ndarray, layers: int) -> Layers:
    """States of a concept: `texts` `[language, example, d_model]` turned layer by layer, and a direction amid them."""
    generator = np.random.default_rng(concept)
    direction = generator.standard_normal(texts.shape[-1], dtype=np.float32)

    def read(layer: int) -> np.ndarray:
        here = np.roll(texts, 131 * layer + 977 * concept, axis=-1)
        here[:, : here.shape[1] // 2] += 0.1 * np.exp(-(((6 * layer - 3 * layers) / layers) ** 2)) * direction
        return here

    return read


def analyse(layers: int, width: int, concepts: int, languages: int, pairs: int) -> dict:
    """Seconds and peak memory of questions 1 to 3 on planted states: every concept, and each on the others."""
    generator = np.random.default_rng(0)
    texts = generator.standard_normal((languages, 2 * pairs, width), dtype=np.float32)
    texts += generator.standard_normal((1, 2 * pairs, width), dtype=np.float32)  # what translations share
    texts /= np.sqrt(np.arange(1, width + 1, dtype=np.float32))
    states = {f"concept {concept}": planted(concept, texts, layers) for concept in range(concepts)}
    every, cut = np.arange(pairs), int(FIRST * pairs)
    cohorts = {"first": every[:cut], "second": every[cut:], "all": every}
    reset_peak()
    start = time.perf_counter()
    found = analyse_concepts(states, layers, [every // 2] * concepts, cohorts=[cohorts] * concepts)
    across(found, states)
    return {
        "seconds": time.perf_counter() - start,
        "peak": memory("VmHWM"),
        "accuracy": float(np.mean([one.recognition["accuracy"][0] for one in found.values()])),
    }
