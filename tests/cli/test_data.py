import re

from tests.cli.command import here, refused
from tests.corpus.written import HEADER, write
from xlv.corpus.pairs import folder_fingerprint, load_pairs


def entry(root, part, size):
    path = root / "cache" / part / "abc"
    path.mkdir(parents=True)
    (path / "x.safetensors").write_bytes(b"0" * size)
    return path


def test_the_cache_is_listed_with_sizes_and_without_what_is_half_written(tmp_path):
    entry(tmp_path, "activations", 1_200_000)
    (tmp_path / "cache" / "activations" / ".abc.part").touch()
    shown = here("cache", "list").stdout
    assert str(tmp_path / "cache") in shown and "1.2 MB" in shown
    assert "activations/abc" in shown and ".part" not in shown


def test_the_cache_is_cleared_as_a_whole_or_in_part(tmp_path):
    activations, results = entry(tmp_path, "activations", 1000), entry(tmp_path, "results", 1000)
    assert here("cache", "clear", "activations", "--yes").exit_code == 0
    assert not activations.exists() and results.exists()
    assert here("cache", "clear").exit_code == 1 and results.exists()  # asked, and nobody answered
    assert here("cache", "clear", "--yes").stdout == "0 MB deleted\n"
    assert not results.exists()


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
    assert done.exit_code == 0 and re.search(r"harmfulness: [23] pairs in en\n", done.stdout)
    assert f"check it with `xlv data check {tmp_path / 'corpus'}`" in done.stdout
    assert "exists" in refused(
        here("data", "convert", "advbench", tmp_path / "goals.csv", "--out", tmp_path / "corpus")
    )


def test_an_unknown_source_is_named_with_the_choices():
    told = refused(here("data", "convert", "wikipedia", "x.csv", "--out", "y"))
    assert "unknown source 'wikipedia': choose one of ethics" in told
