"""The public face: a dozen names, loaded when they are used, and what a notebook does with them."""

import importlib
import inspect
import subprocess
import sys

import numpy as np
import pytest
import torch

import xlv

NAMES = [name for name in xlv.__all__ if name != "__version__"]


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["torch", "transformers", "xarray", "pandas", "matplotlib", "numpy"]
    code = f"import sys, xlv; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_had_and_says_in_a_line_what_it_is(name):
    found = getattr(xlv, name)
    summary = inspect.getdoc(found).split("\n\n")[0]
    assert summary[0].isupper() and summary.endswith(".") and len(summary.splitlines()) <= 2
    assert getattr(importlib.import_module(found.__module__), name) is found


def test_names_are_listed():
    assert set(xlv.__all__) <= set(dir(xlv)) and len(NAMES) == len(set(NAMES))
    namespace = {}
    exec("from xlv import *", namespace)
    assert set(xlv.__all__) <= set(namespace)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(
        AttributeError, match="module 'xlv' has no attribute 'concept_vector': it offers load_model"
    ) as found:
        xlv.concept_vector  # noqa: B018
    assert all(name in str(found.value) for name in NAMES)
    with pytest.raises(ImportError):
        exec("from xlv import concept_vector")


@pytest.fixture
def model(tiny_folder):
    return xlv.load_model(str(tiny_folder), dtype="fp32")


def test_a_model_is_steered_with_a_vector_of_the_corpus(model, tmp_path):
    vectors = xlv.concept_vectors(model, "fairness", "sw", pairs=6)
    plain = xlv.generate(model, ["I kept the promise"], max_new_tokens=5)
    with xlv.steer(model, vectors, 3.0):
        steered = xlv.generate(model, ["I kept the promise"], max_new_tokens=5)
    assert steered != plain and xlv.generate(model, ["I kept the promise"], max_new_tokens=5) == plain
    vectors.save(tmp_path / "fairness.safetensors")
    with xlv.ConceptVectors.load(tmp_path / "fairness.safetensors").apply(model, 3.0):
        assert xlv.generate(model, ["I kept the promise"], max_new_tokens=5) == steered


def test_the_three_questions_are_asked_of_states_of_pairs(model):
    """As in a notebook: pairs, states of both sides in each language, then each question in one call."""
    languages, pairs = ["en", "fr", "sw"], xlv.load_pairs(["fairness"], ["en", "fr", "sw"], pairs=12)
    states = torch.stack(
        [
            torch.cat([xlv.extract(model, list(rows["positive"])), xlv.extract(model, list(rows["negative"]))])
            for _, rows in pairs.groupby("language", sort=False)
        ]
    ).numpy()
    assert states.shape == (3, 24, 4, 32)
    groups = pairs.loc[pairs["language"] == "en", "group"].tolist()
    for protocol in ("cv", "paper"):
        found = xlv.recognition(states, groups, protocol=protocol)
        assert found.accuracy.shape == (3, 3, 4) and np.isfinite(found.chosen).all()
        transfer = xlv.transferability(found.chosen)
        np.testing.assert_allclose(transfer, found.chosen - np.diagonal(found.chosen))
    alike = xlv.consistency(states[:, :, 1], groups)
    assert alike.corrected.shape == (len(languages), len(languages)) and np.isfinite(alike.reliability).all()
