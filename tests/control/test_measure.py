import stat
from dataclasses import replace
from pathlib import Path

import pytest

from xlv.cache import cache_root
from xlv.control.conditions import UNSTEERED
from xlv.control.measure import Bench, Journal, bench_for, json_lines
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
