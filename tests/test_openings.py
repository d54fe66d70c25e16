import pytest

from xlv.control.refusal import TABLES, tables_of
from xlv.openings import FURTHER, KEYS, own_openings

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
        ("de:", "no:", 'False: expected the code of a language, with quotation marks where needed: "no"'),
        (GERMAN, GERMAN + GERMAN, "'de' is given twice: keep one of them"),
        (GERMAN, "de: [a", "while parsing a flow sequence"),
        (GERMAN, "- de", r"expected a table per language, such as `de:`, got \['de'\]"),
        (GERMAN, "de: Leider", "de: expected refusals, answers, declines, got 'Leider'"),
        (GERMAN, "", "expected a table per language"),
    ],
)
def test_one_line_names_the_file_the_language_and_the_key(tmp_path, old, new, message):
    path = write(tmp_path, GERMAN.replace(old, new, 1))
    with pytest.raises(ValueError, match=f"^{path}: .*{message}") as error:
        own_openings(tmp_path)
    assert "\n" not in str(error.value)
