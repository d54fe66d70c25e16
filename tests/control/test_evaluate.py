import re

import numpy as np
import pytest
import torch

from xlv.control import evaluate as evaluate_module
from xlv.control.evaluate import evaluate, random_vectors
from xlv.control.journal import Journal
from xlv.control.names import BASELINE, DIRECTIONS, FOLLOWING, OUTCOMES, REFUSING
from xlv.control.search import divergence, layer_windows, next_token_logs
from xlv.models.steering import activation_addition
from xlv.report import control_answers as answers
from xlv.report.figures import control as figures
from xlv.report.tables import control as tables
from xlv.settings import ControlSettings

SETTINGS = ControlSettings(
    targets=("en", "sw"), pairs=8, prompts=3, search_prompts=3, neutral=3, tokens=4, random=2, doses=(0.05, 0.3),
    max_divergence=5.0,
)  # fmt: skip


def test_windows_are_layers_below_the_final_norm():
    windows = layer_windows(24, ((0.2, 0.45), (0.6, 1.0), (0.0, 0.1)))
    assert windows[0] == tuple(range(5, 12))
    assert all(1 <= layer < 24 for window in windows for layer in window)


def test_divergence_is_zero_without_control_and_positive_with(tiny):
    model = tiny(template="chat")
    texts = ["The river bends twice.", "Salt melts ice."]
    reference = next_token_logs(model, texts)
    assert divergence(model, texts, reference) == pytest.approx(0, abs=1e-6)
    with activation_addition(model, {2: torch.ones(32)}, 1.0):
        assert divergence(model, texts, reference) > 1e-4


def test_random_vectors_have_the_norm_of_the_concept_vectors():
    vectors = {1: torch.full((16,), 2.0), 3: torch.full((16,), 0.5)}
    noise = random_vectors(vectors, seed=4)
    for layer, vector in vectors.items():
        assert noise[layer].norm() == pytest.approx(float(vector.norm()), rel=1e-5)
        assert abs(torch.cosine_similarity(noise[layer], vector, dim=0)) < 0.9
    assert torch.equal(noise[1], random_vectors(vectors, seed=4)[1])


def test_the_whole_chain_on_a_tiny_model(tiny):
    """Random weights know no refusal: what must hold is the bookkeeping, and that control acts on the score as told."""
    dataset = evaluate(tiny(template="chat"), SETTINGS)
    assert dataset["outcome"].dims == ("condition", "kind", "target", "prompt")
    assert list(dataset["condition"].values[:2]) == [BASELINE, REFUSING]
    generated = dataset["outcome"].sel(condition=[BASELINE, *DIRECTIONS]).values
    assert set(np.unique(generated)) <= set(range(len(OUTCOMES)))
    unread = dataset["outcome"].sel(condition=f"random 2 ({REFUSING})").values
    assert (unread == -1).all()
    chosen = dataset["strength"].to_series()
    assert chosen[REFUSING] < 0 < chosen[FOLLOWING]
    dataset.attrs["title"] = "tiny"
    assert len(tables.refusal_table(dataset)) == 3 * 2 * 2  # conditions generated, kinds, languages
    assert {"tiny, towards refusing", "tiny, no control"} <= set(
        re.findall(r"\*\*(.+?)\*\*", answers.control({"m": dataset}))
    )
    for draw in (figures.refusal_rates, figures.search_surface, figures.score_shifts):
        assert draw(dataset).axes
    best = [float((-1) ** d * (dataset["search_score"][d] - dataset.attrs["search_baseline"]).max()) for d in (0,)]
    assert best[0] > 0


def test_a_killed_run_goes_on_from_its_journal_to_the_same_result(tiny, tmp_path, monkeypatch):
    model, path = tiny(template="chat"), tmp_path / "journal.jsonl"
    whole = evaluate(model, SETTINGS)
    count = 0

    def kill(_what, _done, _total):
        nonlocal count
        count += 1
        if count == 24:  # behind the search, among the conditions
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, SETTINGS, journal=Journal(path), progress=kill)
    kept = len(path.read_text().splitlines())
    path.write_text(path.read_text() + '["cut sho')  # a line that the kill cut short
    measured = []
    monkeypatch.setattr(
        "xlv.control.evaluate._measure", lambda *a, f=evaluate_module._measure: measured.append(a) or f(*a)
    )
    again = evaluate(model, SETTINGS, journal=Journal(path))
    assert kept > 8 and again.identical(whole)
    assert 0 < len(measured) < 14
    assert "I kept" not in path.read_text() and "harmful" not in path.read_text()


@pytest.mark.parametrize("wrong", [{"tokens": 33}, {"tokens": 0}, {"prompts": 1}, {"neutral": 0}])
def test_settings_out_of_range_are_refused_at_construction(wrong):
    with pytest.raises(ValueError, match="expected"):
        ControlSettings(**wrong)
