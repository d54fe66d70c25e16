"""Files as the authors' code wrote them: accuracies and reader objects, pickled by PyTorch."""

import sys
import types
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch

LANGUAGES, LAYERS, WIDTH = ["en", "fr", "zh", "sw"], 3, 8


@contextmanager
def authors_module():
    """The authors' module of readers, there while files are written and gone when they are read."""
    module = types.ModuleType("repe.rep_readers")
    module.ClusterMeanRepReader = type("ClusterMeanRepReader", (), {"__module__": "repe.rep_readers"})
    with patch.dict(sys.modules, {"repe": types.ModuleType("repe"), "repe.rep_readers": module}):
        yield module


def accuracies(generator):
    """A table as in `acc.pk`."""
    table = {
        source: {target: {k: np.mean(generator.random(5)) for k in range(1, LAYERS + 1)} for target in LANGUAGES}
        for source in LANGUAGES
    }
    table["en"]["fr"][1] = 1  # a plain number is as good as NumPy's
    return table


def reader_of(module, generator, dtype=np.float32):
    """A reader as in `reader_dict.pk`."""
    reader = module.ClusterMeanRepReader()
    reader.direction_method = "cluster_mean"
    reader.directions = {k: generator.standard_normal((1, WIDTH)).astype(dtype) for k in range(1, LAYERS + 1)}
    reader.direction_signs = {k: [-1] for k in range(1, LAYERS + 1)}
    return reader


def write_res(folder):
    """The authors' folder with two models of two concepts; returns what was written, by model and concept."""
    generator, written = np.random.default_rng(0), {}
    with authors_module() as module:
        for model, dtype in (("llama2-chat-7B", np.float32), ("my-model", np.float16)):
            for concept in ("harmfulness", "morality"):
                (folder / model / concept).mkdir(parents=True)
                acc = accuracies(generator)
                directions = {code: reader_of(module, generator, dtype) for code in LANGUAGES}
                torch.save(acc, folder / model / concept / "acc.pk")
                torch.save(directions, folder / model / concept / "reader_dict.pk")
                written[model, concept] = acc, {code: reader.directions for code, reader in directions.items()}
    (folder / "llama2-chat-7B|my-model").mkdir()  # where the authors keep drawings
    return written
