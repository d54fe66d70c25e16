"""The public face: a dozen names, loaded when they are used, and what a notebook does with them."""

import importlib
import inspect
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

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
    assert alike.pairwise.shape == (len(languages), len(languages)) and alike.readable.shape == (len(languages),)


def test_one_text_is_one_text(model):
    one, several = "I kept the promise", ["I kept the promise"]
    plain = xlv.generate(model, several, max_new_tokens=5)
    for given in (one, tuple(several), np.array(several), pd.Series(several, index=[7]), iter(several)):
        assert xlv.generate(model, given, max_new_tokens=5) == plain
    for fast in (True, False):
        assert xlv.extract(model, one, fast=fast).equal(xlv.extract(model, several, fast=fast))
    assert model.token_ids(one) == model.token_ids(several) and model.prompts(one) == several


NO_TEXTS = [None, 3, b"bytes", {"a": 1}, ["a", float("nan")], [["a"]], pd.DataFrame({"a": ["x"]})]


@pytest.mark.parametrize("given", NO_TEXTS, ids=lambda given: type(given).__name__)
def test_what_is_no_text_is_refused_in_one_line(model, given):
    for use in (xlv.extract, xlv.generate, lambda m, texts: m.prompts(texts), lambda m, texts: m.token_ids(texts)):
        with pytest.raises(ValueError, match=r"^expected a text or a list of texts, got \w+ .*$"):
            use(model, given)


@pytest.mark.parametrize("given", ["smollm2-135m", None])
def test_what_is_no_model_is_refused_in_one_line(model, given):
    vectors = {1: torch.ones(model.d_model)}
    for use in (
        lambda: xlv.extract(given, ["a"]),
        lambda: xlv.generate(given, ["a"]),
        lambda: xlv.steer(given, vectors, 1.0).__enter__(),
        lambda: xlv.concept_vectors(model.network if given else None, "fairness", "en", pairs=4),
    ):
        with pytest.raises(ValueError, match="^expected a model that xlv.load_model returned, got"):
            use()
    with pytest.raises(ValueError, match="^expected a model's name"):
        xlv.load_model(model)


def test_paths_may_be_strings_and_strings_paths(tiny_folder, tmp_path):
    data = str(xlv.load_pairs.__globals__["BUILT_IN"])
    assert xlv.load_pairs("fairness", "sw", data=data).equals(xlv.load_pairs(["fairness"], ["sw"]))
    assert (
        xlv.load_model(tiny_folder, dtype="fp32").fingerprint
        == xlv.load_model(str(tiny_folder), dtype="fp32").fingerprint
    )
    vectors = xlv.concept_vectors(tiny_folder, "fairness", "sw", pairs=4, data=data)
    vectors.save(str(tmp_path / "v.safetensors"))
    assert xlv.ConceptVectors.load(str(tmp_path / "v.safetensors")).origin == vectors.origin
    for given in ("3", 3.5, float("nan"), 1):
        with pytest.raises(ValueError, match="expected at least 2 pairs per concept, got"):
            xlv.load_pairs("fairness", "sw", pairs=given)
    with pytest.raises(ValueError, match="holds no concept vectors"):
        xlv.ConceptVectors.load(None)


def test_vectors_may_be_numpy_s_and_layers_one(model):
    vectors = np.random.default_rng(0).normal(size=(model.n_layers, model.d_model)).astype(np.float32)
    by_layer = {k: torch.tensor(vector) for k, vector in enumerate(vectors, 1)}
    alike = [vectors, torch.tensor(vectors), dict(enumerate(vectors, 1)), by_layer]
    states = []
    for given, layers in [*((given, [2]) for given in alike), (vectors, 2), (vectors, np.array([2]))]:
        with xlv.steer(model, given, np.float32(2.0), layers):
            states.append(xlv.extract(model, "I kept the promise"))
    assert all(found.equal(states[0]) for found in states)
    with xlv.steer(model, vectors, 1.0):  # of all layers, all that can be steered
        every = xlv.extract(model, "I kept the promise")
    with xlv.steer(model, by_layer, 1.0, range(1, model.n_layers)):
        assert every.equal(xlv.extract(model, "I kept the promise"))


@pytest.mark.parametrize(
    ("vectors", "strength", "layers", "message"),
    [
        ({1: np.ones(32)}, float("nan"), None, "the strength is nan: expected a finite number"),
        ({1: np.ones(32)}, float("inf"), None, "the strength is inf"),
        ({1: np.ones(32)}, "3", None, "the strength is '3'"),
        ({1: np.ones(32)}, None, None, "the strength is None"),
        ({1: np.full(32, np.nan)}, 1.0, None, "the vector of layer 1 holds values that are not finite"),
        ({1: np.ones(8)}, 1.0, None, r"the vector of layer 1 has shape \(8,\), expected \(32,\)"),
        ({1: "x"}, 1.0, None, r"the vector of layer 1 has shape \(\), expected \(32,\)"),
        ({"1": np.ones(32)}, 1.0, None, "cannot steer layer 1: expected 1 to 3"),
        ({1: np.ones(32)}, 1.0, [], "no layer to steer: expected some of 1 to 3"),
        ({}, 1.0, None, "no layer to steer"),
        ({1: np.ones(32)}, 1.0, 2.5, "no vector of layer 2.5: expected layers 1 to 1"),
        (np.ones(32), 1.0, None, "expected concept vectors, or one by layer, got ndarray"),
        (np.ones((3, 32)), 1.0, None, "expected concept vectors, or one by layer, got ndarray"),
        ("harmfulness", 1.0, None, "expected concept vectors, or one by layer, got str 'harmfulness'"),
    ],
)
def test_what_cannot_steer_is_refused_in_one_line(model, vectors, strength, layers, message):
    with pytest.raises(ValueError, match=f"^{message}.*$"), xlv.steer(model, vectors, strength, layers):
        pass


@pytest.mark.parametrize("tokens", [0, -1, 2.5, "3", None])
def test_completions_have_a_whole_number_of_tokens(model, tokens):
    with pytest.raises(ValueError, match="^max_new_tokens is .*: expected a whole number from 1$"):
        xlv.generate(model, "I kept", max_new_tokens=tokens)


STATES = np.random.default_rng(0).normal(size=(2, 16, 3, 8)).astype(np.float32)


@pytest.mark.parametrize(
    "form",
    [
        torch.tensor,
        list,
        lambda a: [torch.tensor(part) for part in a],
        lambda a: dict(zip(["en", "fr"], a, strict=True)),
    ],
)
def test_states_may_be_torch_s_or_one_array_a_language(form):
    assert np.array_equal(xlv.recognition(form(STATES)).correct, xlv.recognition(STATES).correct)
    one, other = (xlv.consistency(states).pairwise for states in (form(STATES[:, :, 1]), STATES[:, :, 1]))
    assert np.array_equal(one, other, equal_nan=True)
    assert xlv.recognition(torch.tensor(STATES).bfloat16()).accuracy.shape == (2, 2, 3)


@pytest.mark.parametrize(
    "states",
    [
        STATES[0],
        STATES[:, :15],
        STATES[:, :0],
        np.where(STATES > 2, np.nan, STATES),
        [STATES[0], STATES[1, :14]],
        None,
        "x",
    ],
)
@pytest.mark.parametrize("protocol", ["cv", "paper"])
def test_states_that_are_none_are_refused_in_one_line(states, protocol):
    with pytest.raises(ValueError, match=r"^expected finite states \[language, example, layer, d_model\].*got shape"):
        xlv.recognition(states, protocol=protocol)
    with pytest.raises(ValueError, match=r"^expected finite states \[language, example, d_model\].*got shape"):
        xlv.consistency(states if not isinstance(states, np.ndarray) or states.ndim < 4 else states[..., None])


def test_every_pair_has_a_group():
    for ask, states in ((xlv.recognition, STATES), (xlv.consistency, STATES[:, :, 0])):
        with pytest.raises(ValueError, match="^expected a group for each of 8 pairs, got 7$"):
            ask(states, list("abcdefg"))


def test_transferability_is_of_accuracies_of_a_dataset_or_of_several():
    accuracy = np.array([[0.9, 0.8], [0.6, 0.7]])
    labelled = xr.DataArray(accuracy, dims=["source", "target"])
    dataset = xr.Dataset({"accuracy": labelled})
    expected = xlv.transferability(accuracy)
    for given in (accuracy.tolist(), labelled, dataset):
        np.testing.assert_array_equal(xlv.transferability(given), expected)
    several = xlv.transferability({"a": dataset, "b": accuracy})
    assert list(several) == ["a", "b"] and all(np.array_equal(found, expected) for found in several.values())
    turned = labelled.rename(source="target", target="layer")
    for given in (None, "x", accuracy[0], accuracy[:1], turned):
        with pytest.raises(ValueError, match=r"^expected accuracies \[source, target\], the same languages twice"):
            xlv.transferability(given)
