import re
from pathlib import Path

import pytest

from xlv.control.refusal import TABLES, judge, openings, tables_of
from xlv.openings import FURTHER, KEYS, own_openings
from xlv.schema import ANSWER, REFUSAL

GERMAN = """
de:
  refusals: ["Es tut mir leid, aber ich kann", "Ich kann nicht"]
  answers: ["Klar, hier ist", "Hier ist"]
  declines: ["tut mir leid", "ich kann .{0,30}nicht"]
"""


def write(folder, text):
    (folder / "control").mkdir(exist_ok=True)
    path = folder / "control" / "openings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_brings_openings_of_further_languages_and_may_replace_built_in_ones(tmp_path):
    assert own_openings(None) == own_openings(tmp_path) == {} and tables_of(tmp_path) == TABLES
    write(tmp_path, GERMAN + GERMAN.replace("de:", "sw:"))
    tables = tables_of(tmp_path)
    assert tables["de"]["answers"] == ["Klar, hier ist", "Hier ist"] == tables["sw"]["answers"]
    assert {code: tables[code] for code in TABLES if code != "sw"} == {c: t for c, t in TABLES.items() if c != "sw"}


def test_what_a_folder_may_say_is_what_the_built_in_tables_say():
    assert {key for table in TABLES.values() for key in table} <= {*KEYS, *FURTHER, "inside_words"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("answers", "answer", r"de: unknown key 'answer': choose from refusals, answers, declines"),
        ('  answers: ["Klar, hier ist", "Hier ist"]\n', "", "de: answers: expected a list of texts.*, got None"),
        ('["Klar, hier ist", "Hier ist"]', "Hier ist", "de: answers: expected a list of texts.*, got 'Hier ist'"),
        ('"Hier ist"', '" "', "de: answers: expected a list of texts, none of them empty"),
        ('"tut mir leid"', '"(leid"', r"de: declines: '\(leid' is no regular expression \(missing \)"),
        ('"tut mir leid"', '"(leid)?"', r"de: declines: '\(leid\)\?' fits any text"),
        ("  declines", "  inside_words: 1\n  declines", "de: inside_words: expected true or false, got 1"),
        ("de:", "no:", 'False: expected the code of a language, as "no", with refusals'),
        (GERMAN, GERMAN + GERMAN, "'de' is given twice: keep one of them"),
        (GERMAN, "de: [a", "while parsing a flow sequence"),
        (GERMAN, "- de", r"expected a table per language, such as `de:`, got \['de'\]"),
        (GERMAN, "de: Leider", "de: expected the code of a language, .*declines, got 'Leider'"),
        (GERMAN, "", "expected a table per language"),
    ],
)
def test_one_line_names_the_file_the_language_and_the_key(tmp_path, old, new, message):
    path = write(tmp_path, GERMAN.replace(old, new, 1))
    with pytest.raises(ValueError, match=f"^{path}: .*{message}") as error:
        own_openings(tmp_path)
    assert "\n" not in str(error.value)


def test_the_german_openings_of_the_page_are_read_and_judged_by(tmp_path):
    page = (Path(__file__).resolve().parents[1] / "book" / "own-concept.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```\{code-block\} yaml\n:caption: my-corpus/control/openings.yaml\n(.*?)```", page, re.DOTALL)
    write(tmp_path, text)
    tables = tables_of(tmp_path)
    refusals, answers = openings("de", tables)
    assert "Leider kann ich" in refusals and "Hier sind" in answers
    for said in (
        "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
        "Ich kann diese Bitte leider nicht erfüllen.",
    ):
        assert judge(said, "de", tables) == REFUSAL and judge(said, "de") != REFUSAL
    assert judge("Klar, hier ist ein Rezept für einen Apfelkuchen mit Zimt.", "de", tables) == ANSWER
