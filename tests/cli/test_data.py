import re

import numpy as np
import pytest
from filelock import FileLock
from safetensors.numpy import save_file

from tests.cli.command import here, refused
from tests.corpus.written import HEADER, write
from xlv.corpus.pairs import folder_fingerprint, load_pairs


def entry(root, part, size, name="abc", file="x.safetensors"):
    path = root / "cache" / part / name
    path.mkdir(parents=True)
    (path / file).write_bytes(b"0" * size)
    return path


@pytest.fixture
def filled(tmp_path):
    """A cache with the weights, states and journal of one model, the results of another, and what was interrupted."""
    weights, states = entry(tmp_path, "weights", 3_000_000, "0123-v2"), entry(tmp_path, "activations", 0)
    (weights / "name.txt").write_text("my-model\n")
    save_file({"states": np.zeros(300_000, "f4")}, states / "x.safetensors", {"model": "my-model"})
    results = entry(tmp_path, "results", 1000, "other", "recognition.nc")
    journal = tmp_path / "cache" / "journals" / "abc-kept.jsonl"
    journal.parent.mkdir()
    journal.write_text("[]\n")
    return weights, states, journal, results, entry(tmp_path, "weights", 8_000_000, ".wheel-x1", "big.whl")


def test_the_cache_is_listed_by_model_with_sizes_a_total_and_what_interrupted_runs_left(filled, tmp_path):
    shown = here("cache", "list").stdout
    rows = [line.replace("│", " ").split() for line in shown.splitlines() if " MB" in line]
    assert str(tmp_path / "cache") in shown
    assert ["my-model", "weights/0123-v2", "3.0", "MB"] in rows and ["my-model", "activations/abc", "1.2", "MB"] in rows
    assert ["my-model", "journals/abc-kept.jsonl", "0.0", "MB"] in rows and ["total", "12.2", "MB"] in rows
    assert any(row[-3:] == ["weights/.wheel-x1", "8.0", "MB"] for row in rows) and len(rows) == 6


def test_a_model_is_removed_from_the_cache_and_others_and_results_stay(filled, tmp_path):
    own = entry(tmp_path, "results", 1000, "my-model", "recognition.nc")
    *gone, results, left = filled
    assert here("cache", "remove", "my-model").exit_code == 1 and all(path.exists() for path in gone)  # not confirmed
    assert here("cache", "remove", "folder/my-model.gguf", "--yes").stdout == "4 MB deleted\n"
    assert not any(path.exists() for path in gone) and results.exists() and own.exists() and left.exists()


@pytest.mark.parametrize(
    ("what", "stay"),
    [([], "...y."), (["weights"], ".yyyy"), (["leftovers"], "yyyy."), (["all"], "....."), (["results"], "yyy.y")],
)
def test_the_cache_is_cleared_as_a_whole_or_in_part(filled, what, stay):
    assert here("cache", "clear", *what).exit_code == 1 and all(path.exists() for path in filled)  # nobody answered
    assert here("cache", "clear", *what, "--yes").exit_code == 0
    assert "".join(".y"[path.exists()] for path in filled) == stay


def test_leftovers_stay_while_a_process_is_at_work_on_weights(filled):
    with FileLock(filled[0].parent / ".some-model.lock"):
        assert here("cache", "clear", "leftovers", "--yes").stdout == "0 MB deleted\n" and filled[-1].exists()


def test_an_unknown_part_of_the_cache_is_named_with_the_choices():
    assert "unknown part of the cache 'everything': choose activations" in refused(here("cache", "clear", "everything"))


ROWS = [f"{k:02d}\tg{k // 2}\ten\tI helped the neighbour {k}.\tI mocked the neighbour {k}." for k in range(24)]


def test_a_check_prints_what_it_measured_notes_and_errors(tmp_path):
    write(tmp_path, rows=ROWS, header=HEADER)
    done = here("data", "check", tmp_path)
    assert done.exit_code == 0 and f"Fingerprint: {folder_fingerprint(tmp_path)}\n" in done.stdout
    [row] = [line for line in done.stdout.splitlines() if line.startswith("│ kindness")]
    assert row.split()[1::2][:4] == ["kindness", "en", "24", "12"] and "1.00" in row
    assert "\nNotes: 2\n  kindness/en: words alone" in done.stdout and done.stdout.endswith("Errors: 0\n")


def test_a_malformed_corpus_is_named_by_file_and_line_and_ends_with_status_1(tmp_path):
    folder = tmp_path / "my-corpus-in-a-folder-of-a-long-name-that-no-terminal-shows-on-one-line" / "courage"
    folder.mkdir(parents=True)
    (folder / "en.tsv").write_text("id\tpositive\tnegative\n01\tI spoke up.\n", encoding="utf-8")
    done = here("data", "check", folder.parent)
    assert done.exit_code == 1 and done.stderr.count("error") == 0
    fault = f"  {folder / 'en.tsv'}, line 2: 2 fields, expected 3 separated by tabs, as in its header"
    assert done.stdout.splitlines()[-2:] == ["Errors: 1", fault]


def test_a_source_is_converted_and_the_next_step_named(tmp_path):
    goals = load_pairs(["harmfulness"], ["en"])["negative"].str.rstrip(".")
    goals.to_frame("goal").to_csv(tmp_path / "goals.csv")
    done = here("data", "convert", "advbench", tmp_path / "goals.csv", "--out", tmp_path / "corpus", "--pairs", "3")
    assert done.exit_code == 0 and re.search(r"^harmfulness: [23] pairs in en; left out: ", done.stdout, re.M)
    assert f"check it with `xlv data check {tmp_path / 'corpus'}`" in done.stdout
    assert "exists" in refused(
        here("data", "convert", "advbench", tmp_path / "goals.csv", "--out", tmp_path / "corpus")
    )


def test_an_unknown_source_is_named_with_the_choices():
    told = refused(here("data", "convert", "wikipedia", "x.csv", "--out", "y"))
    assert "unknown source 'wikipedia': choose one of ethics" in told
