"""Rows of two languages that can, or cannot, be translations; and how texts end."""

import numpy as np
import pytest

from xlv.corpus.form import ending, unparallel
from xlv.corpus.pairs import load_pairs


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("Yes.", "."),
        ("Yes", ""),
        ("1984", ""),
        ("ใช่", ""),
        ("ให้ดี", ""),
        ("நன்று", ""),
        ("हाँ।", "।"),
        ('"No"', '"'),
        ("", ""),
    ],
)
def test_a_text_ends_with_its_mark_and_never_with_a_letter_or_what_belongs_to_one(text, mark):
    assert ending(text) == mark


def texts(concept, codes, side="positive"):
    table = load_pairs([concept], codes)
    return {code: list(table.loc[table["language"] == code, side]) for code in codes}


@pytest.mark.parametrize("concept", ["morality", "harmfulness", "tense"])
def test_translations_go_together(concept):
    assert list(unparallel(texts(concept, ["en", "fr", "zh", "sw", "ta"]))) == []


@pytest.mark.parametrize("codes", [["en", "fr"], ["en", "zh", "fr"], ["en", "fr", "zh", "sw", "ta"]])
def test_rows_that_are_others_are_noticed_in_the_language_that_has_them(codes):
    rows = texts("morality", codes)
    rows["fr"] = list(np.random.default_rng(0).permutation(rows["fr"]))
    [said] = unparallel(rows)
    those = "en" if len(codes) == 2 else f"the {len(codes) - 1} other languages"
    assert said.startswith(f"the rows of fr do not go with those of {those}: rank correlation of lengths ")
    assert abs(float(said.split()[-1])) < 0.2


@pytest.mark.parametrize(("shift", "noticed"), [(0, False), (1, True)])
def test_numbers_tell_few_rows_apart_in_any_script(shift, noticed):
    arabic = str.maketrans("0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669")
    rows = {
        "en": [f"Page {k} of 90." for k in range(5)],
        "ar": [f"{k + shift * 7}".translate(arabic) for k in range(5)],
    }
    rows["en"] = [text.replace(" of 90", "") for text in rows["en"]]
    assert bool(list(unparallel(rows))) is noticed
    if noticed:
        assert "other numbers in 5 of 5 rows that have any" in list(unparallel(rows))[0]
