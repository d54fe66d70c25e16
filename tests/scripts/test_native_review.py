import math

import pandas as pd
import pytest
from typer.testing import CliRunner

from scripts.native_review import MARKS, agreement, app, read_form, review_form
from xlv.corpus.concepts import VALUES
from xlv.corpus.pairs import load_pairs


def positive(row):
    """The name, a or b, of the text that the corpus has as positive."""
    concept, pair = row["id"].split()
    pairs = load_pairs([concept], [row["language"]], cohort="all").set_index("pair")
    return "a" if pairs["positive"][pair] == row["A"] else "b"


def filled(sheet, tmp_path, name="form.csv", separator=",", value=positive, natural="yes"):
    sheet = sheet.assign(**dict.fromkeys(MARKS, "Yes ") | {"natural B": natural})
    sheet[MARKS[-1]] = [value(row) for _, row in sheet.iterrows()]
    sheet.to_csv(tmp_path / name, index=False, sep=separator, encoding="utf-8-sig")
    return tmp_path / name


def test_a_form_samples_every_concept_and_hides_which_text_is_in_line_with_the_value():
    sheet = review_form("sw", per_concept=8)
    counts = sheet["id"].str.split().str[0].value_counts()
    assert set(counts.index) == set(VALUES) and (counts == 8).all()
    first = [positive(row) == "a" for _, row in sheet.iterrows()]
    assert 0.3 < sum(first) / len(first) < 0.7
    english = load_pairs(VALUES, ["en"], cohort="all").set_index(["concept", "pair"])
    for (_, row), is_first in zip(sheet.iterrows(), first, strict=True):
        assert row["A in English"] == english["positive" if is_first else "negative"][tuple(row["id"].split())]
    assert (sheet[list(MARKS)] == "").all(axis=None)
    assert not sheet["id"].equals(review_form("sw", per_concept=8, seed=1)["id"])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_marks_come_back_as_shares_by_language(tmp_path, separator):
    path = filled(review_form("fr", per_concept=2), tmp_path, separator=separator, natural="no")
    row = agreement([read_form(path)]).loc["French"]
    assert (row["readers"], row["pairs"], row["natural"], row["same meaning"], row["value"]) == (1, 14, 0.5, 1, 1)
    assert math.isnan(row["readers agree"])


def test_two_readers_who_differ_in_one_mark_of_four_agree_by_three_quarters(tmp_path):
    sheet = review_form("hu", per_concept=1)
    other = filled(sheet, tmp_path, "b.csv", value=lambda row: "ab".replace(positive(row), ""))
    row = agreement([read_form(filled(sheet, tmp_path)), read_form(other)]).loc["Hungarian"]
    assert (row["readers"], row["pairs"], row["value"], row["readers agree"]) == (2, 7, 0.5, 0.75)


def test_a_mark_that_is_missing_or_of_another_word_is_named_with_its_row(tmp_path):
    path = filled(review_form("en", per_concept=1), tmp_path, value=lambda row: "maybe")
    with pytest.raises(ValueError, match="row 2: 'in line with the value' is 'maybe', expected a or b or neither"):
        read_form(path)


def test_the_commands_write_a_form_once_and_print_the_table(tmp_path):
    run = CliRunner().invoke
    assert "42 pairs to review" in run(app, ["form", "sw", "--out", str(tmp_path)]).stdout
    assert "Swahili" in (tmp_path / "review-sw.txt").read_text()
    assert run(app, ["form", "sw", "--out", str(tmp_path)]).exit_code == 2
    sheet = pd.read_csv(tmp_path / "review-sw.csv", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    done = run(app, ["read", str(filled(sheet, tmp_path))])
    assert done.exit_code == 0 and "Swahili" in done.stdout and "1.00" in done.stdout
