import re

from tests.cli.command import here, refused
from tests.corpus.written import HEADER, write
from xlv.corpus.pairs import folder_fingerprint, load_pairs

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
