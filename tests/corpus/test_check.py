from math import isnan

import pytest

from tests.corpus.written import HEADER, write
from xlv.corpus.check import FIGURES, SHOWN, check_corpus, in_script
from xlv.corpus.pairs import CorpusError, folder_fingerprint


def test_the_built_in_corpus_passes_its_own_check():
    assert check_corpus(languages=["sw", "ta", "zh"]).errors == []


def test_the_check_finds_each_kind_of_fault(tmp_path):
    rows = [
        f"{k:02d}\tg{k // 2}\ten\tI helped the neighbour with task {k}.\tI mocked the neighbour for task {k}."
        for k in range(24)
    ]
    write(tmp_path, rows=rows)
    spoilt = [
        row.replace("I helped the neighbour with task", "Tolong bantu tetangga itu dengan tugas nomor") for row in rows
    ]
    spoilt[1] = rows[1]
    spoilt[2] = spoilt[2].replace("\tI mocked the neighbour for task 2.", "\t" + spoilt[2].split("\t")[3])
    write(tmp_path, code="ta", rows=spoilt)
    errors = "\n".join(check_corpus(tmp_path).errors)
    for fault in ("still the English one", "both sides are equal", "not in the script of Tamil", "identified as Tamil"):
        assert fault in errors


def test_the_check_says_that_only_the_order_of_ids_differs(tmp_path):
    first, second, *rest = write(tmp_path).read_text(encoding="utf-8").splitlines()[1:]
    write(tmp_path, code="fr", rows=[second, first, *rest])
    assert "kindness/fr: ids are not in en's order" in check_corpus(tmp_path).errors


def test_the_check_measures_what_it_can_of_a_corpus_of_one_group_in_an_unknown_language(tmp_path):
    write(tmp_path, code="xx", rows=["01\tg\txx\tone text.\ttwo text.", "02\tg\txx\tred text.\tsix text."])
    [row] = check_corpus(tmp_path).figures.to_dict("records")
    assert row["pairs"] == 2 and row["groups"] == 1
    assert all(isnan(row[name]) for name in ("identified", "words", "characters"))


def test_shares_of_script():
    assert in_script("Habari ya asubuhi.", ("LATIN",)) == 1 and in_script("Habari", ("TAMIL",)) == 0
    assert in_script("வணக்கம்", ("TAMIL",)) == 1 and in_script("123", ("TAMIL",)) == 1
    assert in_script("Привет", ()) == 1.0 and in_script("Привет", ("LATIN",)) == 0.0


PLAIN = [f"{k:02d}\tg{k // 2}\ten\tI helped the neighbour {k}.\tI mocked the neighbour {k}." for k in range(24)]


@pytest.mark.parametrize(
    ("code", "rows", "fault"),
    [
        ("fr", [row.replace("\tg0\t", "\tg9\t") for row in PLAIN], "kindness/fr: the column 'group' differs from en's"),
        ("fr", PLAIN[:-1], "kindness/fr: ids differ from en's, expected the same: 23"),
        ("en", [*PLAIN[:-1], PLAIN[-1].replace("23.", "22.")], "kindness/en 23: this positive text stands twice"),
        ("en", [row.replace("mocked the", "never ever mocked the poor old") for row in PLAIN], "times as long"),
        ("en", [row.removesuffix(".") for row in PLAIN], "end alike in 0% of the pairs, expected 95%"),
        (
            "en",
            [*PLAIN[:-1], PLAIN[-1].replace("helped", "he\u0301lped")],
            "kindness/en 23: not in Unicode normal form C",
        ),
    ],
)
def test_the_check_names_file_row_and_column_of_a_fault(tmp_path, code, rows, fault):
    write(tmp_path, rows=PLAIN)
    assert check_corpus(tmp_path).errors == []
    write(tmp_path, code=code, rows=rows)
    assert any(fault in error for error in check_corpus(tmp_path).errors)


def test_a_file_that_cannot_be_read_is_an_error_and_the_others_are_measured(tmp_path):
    write(tmp_path, rows=PLAIN)
    write(tmp_path, code="fr", header="id\tpositive\n")
    report = check_corpus(tmp_path)
    assert len(report.errors) == 1 and "fr.tsv" in report.errors[0]
    assert list(report.figures["language"]) == ["en"] and tuple(report.figures.columns) == FIGURES
    with pytest.raises(CorpusError, match="no folder"):
        check_corpus(tmp_path / "elsewhere")


def test_a_word_that_stands_on_one_side_only_is_noted_and_no_error(tmp_path):
    write(tmp_path, header=HEADER, rows=PLAIN)
    report = check_corpus(tmp_path)
    assert "kindness/en: words alone distinguish the sides in 100% of the pairs" in report.notes
    [figures] = report.figures.to_dict("records")
    assert figures["words"] == 1 and figures["groups"] == 12 and figures["same_ending"] == 1
    assert figures["length_ratio"] == pytest.approx(1, abs=0.1) and figures["identified"] > 0.95


COHORTS = "id\tgroup\torigin\tcohort\tpositive\tnegative\n"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("90\tg90\ten\tsecond\tShe watered the plants of a friend.\tShe broke the pots of a friend.", None),
        ("90\tg3\ten\tsecond\tShe watered the plants of a friend.\tShe broke the pots of a friend.", "two cohorts"),
        (
            "90\tg90\ten\tsecond\tI helped the neighbour 15.\tShe broke the pots of a friend.",
            "near copy of kindness 15",
        ),
        ("90\tg90\ten\tsecond\tShe watered my plants.\tPlease explain to me how to bake bread.", "copy of control 01"),
    ],
)
def test_the_second_cohort_has_situations_and_texts_of_its_own(tmp_path, row, fault):
    first = [row.replace("\ten\t", "\ten\tfirst\t") for row in PLAIN]
    write(tmp_path, header=COHORTS, rows=[*first, row])
    control = "01\tbread\ten\tExplain to me how to bake bread.\tTell me how to spoil bread."
    write(tmp_path, concept="control", header="id\tcategory\torigin\tharmless\tharmful\n", rows=[control])
    found = [e for e in check_corpus(tmp_path).errors if "cohorts" in e or "copy" in e]
    assert found == [] if fault is None else any(fault in error for error in found)


@pytest.mark.parametrize(
    ("code", "rows", "said"),
    [
        ("en", [row.replace("\tg0\t", "\tG0\t", 1) if row[:2] == "01" else row for row in PLAIN], "several: g0, G0"),
        ("en", [row.replace("I helped", '"I ""helped""') + '"' for row in PLAIN[:1]] + PLAIN[1:], None),
        (
            "en",
            [*PLAIN[:-1], PLAIN[-1].replace("I helped the neighbour 23.", '"I ""helped"" the neighbour."')],
            "around 1 texts",
        ),
        ("en", [f"{row} " for row in PLAIN], "left out in 24 rows, first in '00'"),
        ("en", [f"{k}\tg{k}\ten\tI lent {k}.\tI hid {k}." for k in range(1001)], "1,001 pairs: a run takes time"),
    ],
)
def test_the_check_notes_what_may_be_meant_otherwise(tmp_path, code, rows, said):
    write(tmp_path, code=code, rows=rows)
    notes = check_corpus(tmp_path).notes
    assert any(said in note for note in notes) if said else not any("quotes" in note for note in notes), notes


def test_the_check_refuses_what_a_run_would_refuse(tmp_path):
    write(tmp_path, rows=[row.replace(f"g{k // 2}", f"g{k % 3}") for k, row in enumerate(PLAIN)])
    assert "kindness: pairs of 3 groups, expected 4 or more, to halve them" in check_corpus(tmp_path).errors
    write(tmp_path, concept="control", header="id\tcategory\torigin\tharmless\tharmful\n", rows=PLAIN)
    assert any("control/en.tsv has 24 rows: expected 26" in error for error in check_corpus(tmp_path).errors)


def test_the_check_notes_a_language_without_openings_and_refuses_malformed_ones(tmp_path):
    header = "id\tcategory\torigin\tharmless\tharmful\n"
    rows = [f"{k:02d}\tc{k % 3}\ten\tBake bread {k}.\tSpoil bread {k}." for k in range(26)]
    write(tmp_path, code="xx", rows=PLAIN)
    write(tmp_path, concept="control", code="xx", header=header, rows=rows)
    before = folder_fingerprint(tmp_path)
    said = "question 4 leaves xx out: no openings of refusals in control/openings.yaml"
    assert said in check_corpus(tmp_path).notes
    place = tmp_path / "control" / "openings.yaml"
    place.write_text("xx: {refusals: [Nix], answers: [Da], declines: [nix]}")
    assert not any("openings" in note for note in check_corpus(tmp_path).notes)
    assert folder_fingerprint(tmp_path) != before
    place.write_text("xx: {refusals: [Nix], declines: [nix]}")
    assert any(error.startswith(f"{place}: xx: answers: expected") for error in check_corpus(tmp_path).errors)


def test_the_check_notes_a_language_that_a_run_leaves_out(tmp_path):
    for concept, code in (("kindness", "xx"), ("kindness", "yy"), ("backup", "xx")):
        write(tmp_path, concept=concept, code=code, rows=PLAIN)
    assert "not every concept has yy, so it is read with --concepts only" in check_corpus(tmp_path).notes


def test_an_unknown_language_is_judged_by_the_script_of_most_of_its_texts(tmp_path):
    rows = [f"{k:02d}\tg{k // 2}\tru\tЯ помог соседу {k}.\tЯ обидел соседа {k}." for k in range(24)]
    write(tmp_path, code="ru", rows=[*rows[:-1], rows[-1].replace("Я помог соседу", "I helped the neighbour")])
    assert [error for error in check_corpus(tmp_path).errors if "script" in error] == [
        "kindness/ru 23: not in the script of ru, CYRILLIC: I helped the neighbour 23."
    ]


def test_what_a_text_says_to_a_terminal_is_shown_and_a_flood_of_faults_is_cut(tmp_path):
    write(tmp_path, code="ta", rows=[row.replace("I helped", "I \x1b[2J\u2028helped") for row in PLAIN])
    errors = check_corpus(tmp_path).errors
    assert sum("not in the script" in error for error in errors) == SHOWN
    assert any(r"\x1b[2J\x2028helped" in error for error in errors) and all(len(e.splitlines()) == 1 for e in errors)


def test_near_copies_are_found_in_blocks_as_at_once(tmp_path, monkeypatch):
    rows = [row.replace("\ten\t", f"\ten\t{'first' if k < 12 else 'second'}\t") for k, row in enumerate(PLAIN)]
    write(tmp_path, header=COHORTS, rows=rows)
    at_once = [error for error in check_corpus(tmp_path).errors if "near copy" in error]
    monkeypatch.setattr("xlv.corpus.check.MANY", 5)
    assert [error for error in check_corpus(tmp_path).errors if "near copy" in error][:3] == at_once[:3] != []
