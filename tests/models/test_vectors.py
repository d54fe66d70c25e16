import json

import pytest
import torch
from safetensors.torch import save_file

import xlv
from xlv.models.activations import extract
from xlv.models.decoding import generate
from xlv.models.vectors import ConceptVectors, concept_vectors, random_vectors

PROMPT = ["I kept the promise"]


@pytest.fixture
def vectors(tiny):
    return concept_vectors(tiny(), "fairness", "sw", pairs=6)


def test_vectors_are_the_mean_differences_of_the_corpus_s_pairs(tiny, vectors):
    table = xlv.load_pairs(["fairness"], ["sw"], pairs=6)
    states = [extract(tiny(), list(table[side])).double() for side in ("positive", "negative")]
    for layer in (1, 4):
        wanted = (states[0] - states[1]).mean(dim=0)[layer - 1]
        torch.testing.assert_close(vectors.layers[layer].double(), wanted, atol=1e-5, rtol=1e-4)
        norm = torch.cat(states)[:, layer - 1].norm(dim=-1).mean()
        assert vectors.norms[layer] == pytest.approx(float(norm), rel=1e-4)
    assert list(vectors.layers) == [1, 2, 3, 4]


def test_a_file_holds_the_vectors_and_where_they_come_from(vectors, tmp_path):
    path = tmp_path / "kept" / "fairness.safetensors"
    vectors.save(path)
    again = ConceptVectors.load(path)
    assert all(torch.equal(again.layers[k], vectors.layers[k]) for k in vectors.layers)
    assert again.norms == pytest.approx(vectors.norms) and again.origin == vectors.origin and again.key == vectors.key
    for name in ("model", "licence", "weights", "concept", "language", "template", "pairs", "positive"):
        assert again.origin[name]
    assert again.origin["pairs"] == "6" and "reasonable claim" in again.origin["positive"]


def test_a_completion_is_the_same_with_the_vector_in_memory_and_from_its_file(tiny, vectors, tmp_path):
    model = tiny()
    vectors.save(tmp_path / "v.safetensors")
    with vectors.apply(model, 2.0):
        one = generate(model, PROMPT, max_new_tokens=6)
    with ConceptVectors.load(tmp_path / "v.safetensors").apply(model, 2.0):
        assert generate(model, PROMPT, max_new_tokens=6) == one
    with xlv.steer(model, vectors, 2.0, layers=[1, 2, 3]):
        assert generate(model, PROMPT, max_new_tokens=6) == one
    assert generate(model, PROMPT, max_new_tokens=6) != one


def test_ablating_takes_the_direction_of_one_layer_out(tiny, vectors):
    model, unit = tiny(), vectors.layers[2] / vectors.layers[2].norm()
    with vectors.ablate(model):
        left = extract(model, PROMPT, fast=False)[0, :3] @ unit
    plain = extract(model, PROMPT, fast=False)[0, :3] @ unit
    assert left.abs().max() < 1e-4 < plain.abs().max()
    with pytest.raises(ValueError, match="no vector of layer 9: expected layers 1 to 4"):
        vectors.ablate(model, layer=9)


@pytest.mark.parametrize("kind", ["absent", "garbage", "foreign", "uneven", "lacking"])
def test_what_is_no_file_of_vectors_is_refused_in_one_line(kind, tmp_path):
    path, about = tmp_path / "v.safetensors", {"norms": {"1": 1.0, "2": 1.0}, "origin": {}}
    if kind == "garbage":
        path.write_bytes(b"not tensors")
    elif kind == "foreign":
        save_file({"layer.1": torch.ones(3)}, path)
    elif kind == "uneven":
        save_file({"layer.1": torch.ones(3), "layer.2": torch.ones(4)}, path, metadata={"xlv": json.dumps(about)})
    elif kind == "lacking":
        save_file({"layer.1": torch.ones(3)}, path, metadata={"xlv": json.dumps(about)})
    with pytest.raises(ValueError, match="v.safetensors") as found:
        ConceptVectors.load(path)
    assert "\n" not in str(found.value)


def test_random_vectors_have_the_norm_of_the_concept_vectors():
    concept = {1: torch.full((16,), 2.0), 3: torch.full((16,), 0.5)}
    noise = random_vectors(concept, seed=4)
    for layer, vector in concept.items():
        assert noise[layer].norm() == pytest.approx(float(vector.norm()), rel=1e-5)
        assert abs(torch.cosine_similarity(noise[layer], vector, dim=0)) < 0.9
    assert torch.equal(noise[1], random_vectors(concept, seed=4)[1])
