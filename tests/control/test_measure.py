import stat
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from xlv.cache import cache_root
from xlv.control.conditions import UNSTEERED
from xlv.control.measure import Bench, Journal, Neutral, bench_for, json_lines, refusal_scores
from xlv.control.refusal import TABLES
from xlv.models.decoding import ReadPrompts
from xlv.models.steering import steer
from xlv.settings import ControlSettings

PROMPTS = ["Write a note.", "Explain how a lock works in an old door."]


def test_only_missing_items_are_measured_and_all_are_remembered(tmp_path):
    asked = []

    def measure(indices):
        asked.append(list(indices))
        return [10 * i for i in indices]

    journal = Journal(tmp_path / "j.jsonl")
    assert journal.recall("cell", ["a", "b"], measure) == [0, 10]
    assert journal.recall("cell", ["a", "c", "b"], measure) == [0, 10, 10]
    assert Journal(tmp_path / "j.jsonl").recall("cell", ["c", "b"], measure) == [10, 10]
    assert asked == [[0, 1], [1]]


def test_a_value_that_holds_too_little_is_measured_again(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    journal.recall("cell", ["a"], lambda _: [[1.0, None]])
    full = journal.recall("cell", ["a"], lambda _: [[1.0, "refusal"]], enough=lambda value: value[1] is not None)
    assert full == [[1.0, "refusal"]] == Journal(tmp_path / "j.jsonl").recall("cell", ["a"], lambda _: [])


def test_a_line_cut_short_costs_that_line_only(tmp_path):
    path = tmp_path / "j.jsonl"
    Journal(path).recall("one", ["a"], lambda _: [1])
    path.write_text(path.read_text() + '["two", {"a"')
    Journal(path).recall("three", ["a"], lambda _: [3])
    again = Journal(path)
    assert again.known["one"] == {"a": 1} and again.known["three"] == {"a": 3} and "two" not in again.known


@pytest.mark.parametrize(
    "tail", [b'["two", {"a": "na\xc3', b"[1, 2, 3]\n", b"7\n", b'{"a": 1}\n', b'["two", [4]]\n', b"\xff\n"]
)
def test_a_tail_cut_inside_a_character_and_odd_lines_are_dropped_and_the_rest_used(tmp_path, tail):
    path = tmp_path / "j.jsonl"
    Journal(path).recall("one", ["a"], lambda _: [1])
    path.write_bytes(path.read_bytes() + tail)
    Journal(path).recall("three", ["é"], lambda _: [3])
    assert Journal(path).known == {"one": {"a": 1}, "three": {"é": 3}}


@pytest.mark.parametrize("odd", [5, "text", [], [None, None, None, None], ["1", None, None, None], [1.0, None]])
def test_a_value_that_nobody_wrote_is_measured_again(model, odd):
    bench = Bench(model, 4)
    known = bench.measure(UNSTEERED, "en", PROMPTS, generate=False)
    (cell,) = bench.journal.known
    bench.journal.known[cell] = dict.fromkeys(bench.journal.known[cell], odd)
    assert bench.measure(UNSTEERED, "en", PROMPTS, generate=False) == known
    effects = bench.side_effects(UNSTEERED, Neutral(model, PROMPTS))
    bench.journal.known = {cell: dict.fromkeys(rows, odd) for cell, rows in bench.journal.known.items()}
    assert bench.side_effects(UNSTEERED, Neutral(model, PROMPTS)) == effects


@pytest.fixture
def model(tiny):
    return tiny(template="chat")


def test_a_bench_scores_and_if_asked_completes_and_judges(model):
    bench = Bench(model, 4)
    scored = bench.measure(UNSTEERED, "en", PROMPTS, generate=False)
    assert all(reading.outcome is None and reading.opening is None for reading in scored)
    judged = bench.measure(UNSTEERED, "en", PROMPTS, generate=True)
    assert all(reading.outcome is not None for reading in judged)
    assert [reading.score for reading in judged] == [reading.score for reading in scored]  # once written, it stays


def test_prompts_are_measured_alike_in_any_batch(model):
    many, single = (
        Bench(model, 4, batch_size=size).measure(UNSTEERED, "en", PROMPTS, generate=True) for size in (40, 1)
    )
    for one, other in zip(many, single, strict=True):
        assert one.score == pytest.approx(other.score, abs=2e-4) and one[1:] == other[1:]


def test_the_journal_holds_no_completion_and_kept_ones_go_to_a_private_file(model, tmp_path):
    journal, kept = tmp_path / "journal.jsonl", tmp_path / "private" / "kept.jsonl"
    bench = Bench(model, 8, journal=Journal(journal), keep=kept)
    bench.measure(UNSTEERED, "en", PROMPTS, generate=True, condition="no control")
    records = list(json_lines(kept))
    assert [set(record) for record in records] == [
        {"model", "condition", "language", "prompt", "completion", "judged"}
    ] * 2
    assert {record["prompt"] for record in records} == set(PROMPTS) and records[0]["condition"] == "no control"
    long = [record["completion"] for record in records if len(record["completion"]) > 6]
    assert long and not any(text in journal.read_text() for text in long)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_completions_are_kept_only_when_asked_for_and_in_step_with_a_journal_of_their_own(model):
    settings = ControlSettings(tokens=4)
    plain, keeping = (bench_for(model, settings, keep_completions=keep) for keep in (False, True))
    assert plain.keep is None and plain.tokens == 4 and plain.judge.name.startswith("rules")
    assert keeping.keep == cache_root() / "completions" / f"{model.fingerprint}.jsonl"
    assert plain.journal.path != keeping.journal.path
    for bench in (plain, keeping):
        bench.measure(UNSTEERED, "en", PROMPTS, generate=True)
    assert sorted(path.parent.name for path in Path(cache_root()).rglob("*.jsonl")) == [
        "completions",
        *["journals"] * 2,
    ]
    with pytest.raises(ValueError, match="cannot be loaded"):
        bench_for(model, replace(settings, judge="classifier:/nowhere:NO"))


def brute_force(model, prompt, openings):
    """Log-probability of opening with any of some texts, each read in full behind the prompt."""
    ids, found = model.token_ids([prompt])[0], []
    for opening in openings:
        more = model.tokenizer(opening, add_special_tokens=False)["input_ids"]
        logs = model.network(torch.tensor([ids + more])).logits[0].log_softmax(-1)
        found.append(sum(float(logs[len(ids) - 1 + k, token]) for k, token in enumerate(more)))
    return np.logaddexp.reduce(found)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "bloom"])
def test_the_score_is_the_log_odds_of_the_two_sets_of_openings_steered_or_not(tiny, architecture):
    model = tiny(architecture, template="chat")
    sets = [{*TABLES["fr"][key], *TABLES["en"][key]} for key in ("refusals", "answers")]

    def wanted():
        return [np.subtract(*(brute_force(model, prompt, texts) for texts in sets)) for prompt in PROMPTS]

    before = refusal_scores(ReadPrompts(model, PROMPTS), "fr")
    np.testing.assert_allclose(before, wanted(), atol=4e-4)
    with steer(model, {2: torch.linspace(-1, 1, model.d_model)}, 2.0):
        after = refusal_scores(ReadPrompts(model, PROMPTS), "fr")
        np.testing.assert_allclose(after, wanted(), atol=4e-4)
    assert np.abs(after - before).max() > 0.01


def test_a_language_without_openings_is_refused(tiny):
    with pytest.raises(ValueError, match="no refusal openings"):
        refusal_scores(ReadPrompts(tiny(), PROMPTS), "xx")


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "bloom"])
def test_scores_do_not_depend_on_the_batch(tiny, architecture):
    model = tiny(architecture, template="chat")
    alone = [refusal_scores(ReadPrompts(model, [prompt]), "en")[0] for prompt in PROMPTS]
    np.testing.assert_allclose(refusal_scores(ReadPrompts(model, PROMPTS), "en"), alone, atol=2e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "bloom"])
def test_completions_behind_scored_prompts_are_those_of_prompts_just_read(tiny, architecture):
    model = tiny(architecture, template="chat")
    scored = ReadPrompts(model, PROMPTS)
    refusal_scores(scored, "en")
    assert scored.complete(6) == ReadPrompts(model, PROMPTS).complete(6)


def test_side_effects_are_nothing_without_control_and_something_with(tiny):
    model = tiny(template="chat")
    neutral = Neutral(model, ["The river bends twice.", "Salt melts ice."])
    calm = neutral.effects([0, 1], nullcontext())
    assert [divergence for divergence, _, _ in calm] == pytest.approx([0, 0], abs=1e-5)
    ids = torch.tensor([neutral.ids[1]])
    logs = model.network(input_ids=ids).logits[0].log_softmax(-1)
    assert calm[1][1] == pytest.approx(-float(logs[:-1].gather(-1, ids[0, 1:, None]).sum()), rel=1e-4)
    for known in (neutral, Neutral(model, neutral.texts)):  # the unsteered predictions are of the unsteered model
        steered = known.effects([0, 1], steer(model, {2: torch.ones(32)}, 1.0))
        assert all(divergence / tokens > 1e-4 for divergence, _, tokens in steered)
