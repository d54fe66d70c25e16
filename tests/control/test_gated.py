"""Gated control decoded on models whose answer is known: where it must help, and where it must not."""

import numpy as np
import pytest

from tests.control import planted as made
from tests.control.planted import corpus, planted
from xlv.corpus.pairs import load_instructions
from xlv.models.activations import extract
from xlv.models.decoding import generate
from xlv.models.steering import Gate, steer
from xlv.models.vectors import concept_vectors

LAYER, STRENGTH = 2, -1.0  # towards refusing, enough to refuse harmless instructions as well


def outcomes(model, folder, code: str, split: str = "en") -> dict[str, np.ndarray]:
    """Refusals `[harmful and harmless, prompt]` without control, steered, and gated by the English direction of harm.

    The threshold is that of the language `split`. Gated completions have to be plain and steered ones, recombined.
    """
    vectors = concept_vectors(model, "harmfulness", "en", pairs=12, data=folder)
    towards_harm = -vectors.layers[LAYER] / vectors.layers[LAYER].norm()

    def heights(texts: list[str]) -> np.ndarray:
        return (extract(model, texts)[:, LAYER - 1] @ towards_harm).numpy()

    searched = load_instructions(split, "search", data=folder)
    threshold = np.mean([heights(list(searched[kind])).mean() for kind in ("harmful", "harmless")])
    table = load_instructions(code, "evaluation", data=folder)
    prompts = [*table["harmful"], *table["harmless"]]
    found = {"none": generate(model, prompts, max_new_tokens=2)}
    for name, gate in (("steered", None), ("gated", Gate(towards_harm, LAYER, float(threshold)))):
        with steer(model, vectors, STRENGTH, [LAYER], gate):
            found[name] = generate(model, prompts, max_new_tokens=2)
    opened = heights(prompts) > threshold
    assert found["gated"] == np.where(opened, found["steered"], found["none"]).tolist()
    found["opened"] = ["I " if open_ else "" for open_ in opened]
    return {name: np.array([text.startswith("I ") for text in texts]).reshape(2, -1) for name, texts in found.items()}


def selectivity(refused: np.ndarray) -> float:
    return float(refused[0].mean() - refused[1].mean())


@pytest.mark.parametrize("split", ["en", "sw"], ids=["carried", "reset"])
def test_where_harm_is_represented_and_not_acted_on_a_gate_helps(tmp_path, split):
    corpus(tmp_path)
    found = outcomes(planted(1.0), tmp_path, "sw", split)
    assert found["steered"].all(), "control that ignores content refuses everything"
    assert selectivity(found["none"]) < 0.3 and selectivity(found["gated"]) > selectivity(found["none"]) + 0.15
    assert found["gated"][1].mean() < 0.2


def test_where_harm_is_not_represented_in_a_language_a_gate_does_not_help(tmp_path, monkeypatch):
    corpus(tmp_path)
    monkeypatch.setattr(made, "HARM_OF", {"threat": 2.8})  # the Swahili marker says nothing
    found = outcomes(planted(1.0), tmp_path, "sw", "sw")
    assert 0.2 < found["opened"].mean() < 0.8 and found["gated"].any()
    assert abs(selectivity(found["gated"])) < 0.1


def test_where_the_direction_moves_no_refusal_a_gate_moves_none(tmp_path):
    corpus(tmp_path)
    found = outcomes(planted(0.0), tmp_path, "en")
    assert found["opened"].any() and (found["gated"] == found["none"]).all()
