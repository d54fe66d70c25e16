"""The analysis on synthetic activations of a model's shape, on disk as activations are and read layer by layer."""

import time
from pathlib import Path

import numpy as np
import torch
from loading import memory, reset_peak
from safetensors.torch import save_file

from xlv.models.activations import layer_reader
from xlv.questions.analysis import across, analyse_concepts


def write(folder: str, layers: int, width: int, concepts: int, languages: int, pairs: int) -> dict:
    """One bf16 shard per concept and language: what translations share, a direction for the concept, and noise."""
    start, size = time.perf_counter(), 0
    for concept in range(concepts):
        shared = torch.Generator().manual_seed(concept)
        content = torch.randn(2 * pairs, 1, width, generator=shared)
        direction = 0.15 * torch.randn(1, layers, width, generator=shared)
        for language in range(languages):
            own = torch.Generator().manual_seed(1000 * (concept + 1) + language)
            states = torch.randn(2 * pairs, layers, width, generator=own).add_(content)
            states[:pairs] += direction
            path = Path(folder) / f"{concept}-{language}.safetensors"
            save_file({"states": (states / torch.arange(1, width + 1).sqrt()).bfloat16()}, path)
            size += path.stat().st_size
    return {"seconds": time.perf_counter() - start, "bytes": size}


def analyse(folder: str, layers: int, concepts: int, languages: int, pairs: int, resamples: int) -> dict:
    """Seconds and peak memory of questions 1 to 3 on what `write` wrote: every concept, and each on the others."""
    groups = np.arange(pairs) // 2
    reset_peak()
    start, states = time.perf_counter(), {}
    for concept in range(concepts):
        files = [Path(folder) / f"{concept}-{language}.safetensors" for language in range(languages)]
        states[f"concept {concept}"] = layer_reader(files)
    found = analyse_concepts(states, layers, [groups] * concepts, n_resamples=resamples)
    across(found, states)
    return {
        "seconds": time.perf_counter() - start,
        "peak": memory("VmHWM"),
        "accuracy": float(np.mean([one.recognition["accuracy"][0] for one in found.values()])),
    }
