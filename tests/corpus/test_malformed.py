"""Corpora as they lie on disks, from seeds: a sample of what `make fuzz` tries at full size.

Each kind of fault is put somewhere into a sound corpus. It is refused in one line, noted, or makes no difference.
"""

import json
import random
import time

import pytest

from tests.corpus.written import HEADER
from xlv.corpus.check import check_corpus
from xlv.corpus.pairs import corpus_fingerprint, load_pairs

pytestmark = pytest.mark.fuzz
NAMES = "nurse baker pilot miner judge clerk diver guard".split()
VERBS = ("thanked", "praised", "trusted"), ("cheated", "mocked", "ignored")
AT_ENDS = " \u00a0\u3000\u200b\u200e\u200f\ufeff\u2028\x85\x1c\u2060\u3164"
SECONDS = 20


def sound(dice):
    """A corpus of one concept in two languages by file name, each a list of rows of fields."""
    rows = []
    for k in range(8):
        good, bad = (dice.choice(verbs) for verbs in VERBS)
        rows.append([f"{k:02d}", f"place {k // 2}", "own", f"I {good} the {NAMES[k]}.", f"I {bad} the {NAMES[k]}."])
    other = [[*row[:3], *(text.replace("I ", "He ") for text in row[3:])] for row in rows]
    return {"courage/xx.tsv": [HEADER.split(), *rows], "courage/yy.tsv": [HEADER.split(), *other]}


def written(folder, files):
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rows if isinstance(rows, bytes) else "\n".join(map("\t".join, rows)).encode())
    return folder


def field(dice, files, columns=(3, 4)):
    """A row of one file and a column of it, at random."""
    return dice.choice(files[dice.choice(sorted(files))][1:]), dice.choice(columns)


def changed(change, columns=(3, 4)):
    """A kind of fault that changes one field."""

    def spoil(dice, files):
        row, column = field(dice, files, columns)
        row[column] = change(dice, row[column])

    return spoil


def inside(*pieces):
    return changed(lambda dice, text: text[:4] + dice.choice(pieces) + text[4:])


def at_an_end(dice, text):
    hidden = "".join(dice.choices(AT_ENDS, k=dice.randint(1, 3)))
    return dice.choice((hidden + text, text + hidden))


def beside(name, content=b"x"):
    """A kind of fault that puts a file beside those of the concept."""
    return lambda dice, files: files.update({name.format(dice.choice(("de", "pt-BR", "zho_Hans"))): content})


def header_again(dice, files):
    rows = files["courage/yy.tsv"]
    rows.insert(dice.randint(1, len(rows)), [*rows[0]])


def joined_lines(dice, files):
    rows = files["courage/xx.tsv"]
    files["courage/xx.tsv"] = "\r".join(map("\t".join, rows)).encode()


def quoted(dice, files):
    for row in files["courage/xx.tsv"][1:]:
        row[3:] = [f'"{text[:2]}""{text[2:5]}""{text[5:]}"' for text in row[3:]]


def few_groups(dice, files):
    n = dice.randint(1, 3)
    for rows in files.values():
        for row in rows[1:]:
            row[1] = f"place {int(row[0]) % n}"


def apart(dice, files):
    files["bravery/zz.tsv"] = files.pop("courage/yy.tsv")


def in_capitals(dice, files):
    for rows in files.values():
        rows[1][1] = rows[1][1].upper()


def other_letters(dice, files):
    row, column = field(dice, {"yy": files["courage/yy.tsv"]})
    row[column] = "Я помог соседу сегодня."


def as_windows_saves(dice, files):
    for name, rows in files.items():
        files[name] = b"\xef\xbb\xbf" + "\r\n".join(map("\t".join, rows)).encode() + b"\r\n\t\t\t\t\r\n"


REFUSED = {
    "NUL": inside("\0"),
    "nothing to be seen": changed(lambda dice, text: "".join(dice.choices(AT_ENDS + "\u200c\u200d", k=3))),
    "no group": changed(lambda dice, text: "", columns=(1,)),
    "an overlong text": changed(lambda dice, text: text * 10_000),
    "a tab more": inside("\t"),
    "a line end": inside("\n"),
    "the header again": header_again,
    "line ends of old": joined_lines,
    "few groups": few_groups,
    "no language in common": apart,
    "a cyrillic text": other_letters,
    "capital ending": beside("courage/{}.TSV"),
    "packed": beside("courage/{}.tsv.gz"),
    "another format": beside("courage/{}.csv"),
    "JSON beside": beside("courage/{}.json"),
    "a bare JSON": beside("courage/courage_{}.json", b'{"a": {"1": {"pos": null, "neg": "x"}}}'),
    "two of one": beside("courage/courage_yy.json", b"{}"),
    "nested JSON": beside("fairness/fairness_xx.json", b"[" * 100_000),
    "half a character": beside("fairness/fairness_xx.json", b'{"a": {"1": {"pos": "a \\ud800", "neg": "x"}}}'),
    "keys that stand twice": beside(
        "fairness/fairness_xx.json", b'{"a": {"1": {"pos": "a", "neg": "x"}, "1": {"pos": "b", "neg": "y"}}}'
    ),
    "an unnamed backup": beside("backup/old.tsv", b"x\ty\n1\t2\n"),
    "UTF-16": beside("courage/yy.tsv", "id\tpositive\tnegative\n1\ta\tb\n".encode("utf-16-le")),
    "one long line": beside("courage/yy.tsv", b"x" * 65_000_000),
    "a thousand columns": beside("courage/yy.tsv", b"\t" * 1_000_000 + b"\n1\n"),
}
NOTED = {
    "quotes": (quoted, "double quotes"),
    "capitals": (in_capitals, "differ in case"),
    "read by no one": (beside("courage/notes.txt"), "not read: courage/notes.txt"),
    "an old copy": (lambda dice, files: files.update({"backup/xx.tsv": files["courage/xx.tsv"]}), "not every concept"),
}
EQUAL = {
    "at the ends": changed(at_an_end, columns=(0, 1, 3, 4)),
    "as Windows saves": as_windows_saves,
    "hidden files": beside("courage/._{}.tsv", b"\0\xff"),
}
KEPT = ("\u2028", "\x85", "\x1c", "\x0b", "\x0c", "\u2029", "\r")  # inside a field they are text


def outcome(folder):
    """Errors and notes of the check, and the pairs as loaded or None; whatever is refused is refused in one line."""
    began, errors, notes, table = time.monotonic(), [], [], None
    try:
        report = check_corpus(folder)
        errors, notes = report.errors, report.notes
    except ValueError as error:
        errors = [str(error)]
    try:
        table = load_pairs(data=folder)
    except ValueError as error:
        errors.append(str(error))
    assert time.monotonic() - began < SECONDS
    assert all(0 < len(line) < 2_000 and len(line.splitlines()) == 1 for line in (*errors, *notes)), errors
    return errors, notes, table


def seeds(runs):
    return range(runs(8, sample=1))


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_meant_is_refused_in_one_line(tmp_path, runs, kind):
    for seed in seeds(runs):
        dice = random.Random(f"{kind} {seed}")
        files = sound(dice)
        REFUSED[kind](dice, files)
        errors, _, _ = outcome(written(tmp_path / str(seed), files))
        assert errors, f"seed {seed}"


@pytest.mark.parametrize("kind", NOTED)
def test_what_may_be_meant_otherwise_is_noted(tmp_path, runs, kind):
    for seed in seeds(runs):
        dice = random.Random(f"{kind} {seed}")
        files, (spoil, said) = sound(dice), NOTED[kind]
        spoil(dice, files)
        _, notes, _ = outcome(written(tmp_path / str(seed), files))
        assert any(said in note for note in notes), f"seed {seed}: {notes}"


@pytest.mark.parametrize("kind", EQUAL)
def test_what_cannot_be_seen_makes_no_difference(tmp_path, runs, kind):
    for seed in seeds(runs):
        dice = random.Random(f"{kind} {seed}")
        files = sound(dice)
        usual = corpus_fingerprint(load_pairs(data=written(tmp_path / f"{seed} before", files)))
        EQUAL[kind](dice, files)
        errors, notes, table = outcome(written(tmp_path / str(seed), files))
        assert errors == [] and corpus_fingerprint(table) == usual, f"seed {seed}: {errors}"
        assert kind != "at the ends" or any("left out in 1 rows" in note for note in notes)


@pytest.mark.parametrize("mark", KEPT)
def test_only_a_newline_ends_a_row(tmp_path, runs, mark):
    for seed in seeds(runs):
        dice = random.Random(f"{mark} {seed}")
        files = sound(dice)
        inside(mark)(dice, files)
        errors, _, table = outcome(written(tmp_path / str(seed), files))
        assert errors == [] and len(table) == 16, f"seed {seed}: {errors}"
        assert sum(mark in text for text in [*table["positive"], *table["negative"]]) == 1


def test_pairs_with_equal_sides_in_one_language_of_the_authors_layout_are_left_out_in_all(tmp_path, runs):
    for seed in seeds(runs):
        dice = random.Random(seed)
        left_out = dice.randrange(8)
        for code in ("xx", "yy"):
            pairs = {f"{k}": {"pos": f"I {code} {NAMES[k]}.", "neg": f"We {code} {NAMES[k]}."} for k in range(8)}
            if code == "yy":
                pairs[f"{left_out}"]["neg"] = pairs[f"{left_out}"]["pos"] + dice.choice(AT_ENDS)
            written(tmp_path, {f"courage/courage_{code}.json": json.dumps({"t": pairs}).encode()})
        errors, notes, table = outcome(tmp_path)
        assert not any("same" in error or "differ" in error for error in errors) and len(table) == 14
        assert f"t/{left_out}" not in set(table["pair"]) and any(f"t/{left_out}" in note for note in notes)
