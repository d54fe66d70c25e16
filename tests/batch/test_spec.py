import os
import re
from pathlib import Path

import pytest

from xlv.batch.runs import plan
from xlv.batch.spec import read_spec

PAGE = Path(__file__).resolve().parents[2] / "book" / "batch.md"
BASE = "matrix: {models: [llama], seed: [0, 1]}\nnotebooks: [q1_recognition]\n"


@pytest.fixture
def written(repository):
    def write(text):
        (repository / "spec.yaml").write_text(text)
        return repository / "spec.yaml"

    return write


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the spec: expected names with values"),
        ("matrix: [", "while parsing a flow"),
        (
            "matrix: {seed: [0]}\nnotebooks: [q1_recognition]",
            "matrix: expected names with values, models among them, got",
        ),
        ("matrix: {models: llama}\nnotebooks: [q1_recognition]", "matrix: models: expected a list of at least one"),
        (
            "matrix: {models: ['a,b']}\nnotebooks: [q1_recognition]",
            "matrix: models: expected one model per entry, got 'a,b'",
        ),
        (
            "matrix: {models: [a, a]}\nnotebooks: [q1_recognition]",
            "matrix: models: expected a list of at least one, each once, such as [a, b], got ['a', 'a']",
        ),
        (
            "matrix: {models: [a], seeds: [0]}\nnotebooks: [q1_recognition]",
            "matrix: unknown name 'seeds': did you mean 'seed'?",
        ),
        ("matrix: {models: [a], results: [x]}\nnotebooks: [q1_recognition]", "matrix: unknown name 'results'"),
        (
            "matrix: {models: [a], languages: [no]}\nnotebooks: [q1_recognition]",
            "matrix: languages: expected a text (in quotes if YAML takes it for something else), got False",
        ),
        (
            "matrix: {models: [a], pairs: ['8']}\nnotebooks: [q1_recognition]",
            "matrix: pairs: expected a whole number from 0 to 4294967295, got '8'",
        ),
        (BASE + "parameters: {seed: 1}", "'seed' stands in matrix and in parameters"),
        (BASE + "parameters: {colour: red}", "parameters: unknown name 'colour': choose from models, data"),
        (BASE + "retry: 2", "unknown name 'retry': did you mean 'retries'?"),
        (BASE + "retries: -1", "retries: expected a whole number from 0 to 100, got -1"),
        (BASE + "book: maybe", "book: expected true or false"),
        (BASE + "out: 3", "out: expected a folder"),
        (BASE + "out: a\nout: b", "'out' is given twice"),
        (BASE + "exclude: [{seed: 2}]", "exclude: seed: expected one of 0, 1, got 2"),
        (BASE + "exclude: [{}]", "exclude: expected at least one name of the matrix with a value, got {}"),
        (BASE + "needs: {memory: 8}", "needs: memory: expected a number with a unit (kb, mb, gb, tb), got 8"),
        (BASE + "needs: {time: 0 h}", "needs: time: expected a number with a unit"),
        (BASE + "needs: {gpu: 1}", "needs: unknown name 'gpu': did you mean 'gpus'?"),
        (
            BASE + "overrides: [{where: {models: gemma}, needs: {}}]",
            "overrides: where: models: expected one of llama, got 'gemma'",
        ),
        (
            "matrix: {models: [a], seed: [-1]}\nnotebooks: [idle]",
            "matrix: seed: expected a whole number from 0 to 4294967295",
        ),
        (
            "matrix: {models: [a], seed: [4294967296]}\nnotebooks: [idle]",
            "matrix: seed: expected a whole number from 0",
        ),
        ("matrix: {models: ['~nobody.here/a']}\nnotebooks: [idle]", "matrix: models: expected one model per entry"),
        (BASE + "out: ~nobody.here/a", "out: expected a folder"),
        (BASE + 'out: "\\0"', "embedded null"),
        (BASE + "needs: {threads: 100000000}", "needs: threads: expected a whole number from 1 to 1000"),
        (BASE + "needs: {memory: ٣ GB}", "needs: memory: expected a number with a unit"),
        (BASE + 'needs: {time: "3 h\\n"}', "needs: time: expected a number with a unit"),
        (BASE + "needs: {time: 9999999999999999999 d}", "needs: time: expected a number with a unit"),
        (BASE + "a: &a [1]\nb: *a", "line 3: write the value itself, without &, * and !"),
        (BASE + "retries: !!int ''", "line 3: write the value itself, without &, * and !"),
        (BASE + f"out: {'x' * 60_000}", "expected a file of at most 50,000 bytes"),
        (BASE + "exclude: " + "[" * 20_000, "maximum recursion depth exceeded"),
        (BASE + "[1]: 2\n", "found unhashable key"),
        ("matrix: {models: [a]}\nnotebooks: [q4_control]", "book: it needs another question than q4_control too"),
        (
            "matrix: {models: [a]}\nnotebooks: [long]",
            "notebooks: expected one of idle, q1_recognition, q4_control, got 'long'",
        ),
    ],
)
def test_what_is_wrong_in_a_spec_is_said_in_one_line_that_names_it(written, text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as found:
        read_spec(written(text))
    assert "spec.yaml" in str(found.value) and "\n" not in str(found.value)


def test_what_is_no_file_of_a_spec_s_size_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "fifo.yaml")  # which would be read for ever
    with open(tmp_path / "large.yaml", "wb") as stream:
        stream.truncate(2**31)
    for name in ("missing.yaml", "fifo.yaml", "large.yaml"):
        with pytest.raises(ValueError, match=rf"no spec at .*{name}: expected a file of at most 50,000 bytes"):
            read_spec(tmp_path / name)


def test_needs_have_units_and_overrides_change_those_of_the_runs_they_name(written, models):
    spec = read_spec(
        written(
            "matrix: {models: [llama, gpt2]}\nnotebooks: [q1_recognition]\nneeds: {memory: 4 GB, time: 90 min}\n"
            "overrides:\n- where: {models: gpt2}\n  needs: {memory: 1.5 TB, gpus: 2}\n"
        )
    )
    first, second = plan(spec)
    assert first.needs == {"memory": 4e9, "time": 5400.0}
    assert second.needs == {"memory": 1.5e12, "gpus": 2, "time": 5400.0}


def test_paths_start_at_the_folder_of_the_spec(written, repository, models, monkeypatch):
    path = written("matrix: {models: [llama, org/llama-2]}\nnotebooks: [q1_recognition]\nout: ../there\n")
    monkeypatch.chdir(repository / "notebooks")
    spec = read_spec(path)
    assert [run.model for run in plan(spec)] == [str(repository / "llama"), "org/llama-2"]
    assert spec.out == repository.parent / "there"


def test_the_spec_on_the_page_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(PAGE.parents[1])
    example = re.search(r"```yaml\n(out:.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)[1]
    (tmp_path / "spec.yaml").write_text(example)
    runs = plan(read_spec(tmp_path / "spec.yaml"))
    assert len(runs) == 5 and {run.needs.get("gpus") for run in runs} == {None, 1}
