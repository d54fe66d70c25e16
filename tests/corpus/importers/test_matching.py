from xlv.corpus.importers.matching import Pair, Single, clean, levelled, matched, usable


def test_texts_are_paired_within_their_group_by_ending_and_length():
    def single(group, positive, text):
        return Single(group, positive, {"en": text})

    texts = [
        single("a", False, "12345."),
        single("a", True, "123456."),
        single("a", True, "123456789."),
        single("a", False, "1234567?"),
        single("b", False, "123456."),
        single("b", True, "12345678901234."),
    ]
    pairs = matched(texts)
    assert [(p.group, p.positive["en"], p.negative["en"]) for p in pairs] == [("a", "123456.", "12345.")]


def test_unequal_sides_are_levelled_and_repetitions_dropped():
    def pair(k, longer):
        positive, negative = f"{k:03d} the longer of two texts{'!' * longer}.", f"{k:03d} the longer of two texts."
        return matched([Single(str(k), True, {"en": positive}), Single(str(k), False, {"en": f"n{negative[1:]}"})])[0]

    pairs = [pair(k, 5 * (k % 2)) for k in range(40)]
    kept = levelled(usable([*pairs, pairs[0]]))
    lengths = [sum(len(side(p)["en"]) for p in kept) for side in (lambda p: p.positive, lambda p: p.negative)]
    assert lengths[0] / lengths[1] <= 1.08 and 20 <= len(kept) < 40
    assert len({p.positive["en"] for p in kept}) == len(kept)


def test_a_text_stands_on_one_line_in_normal_form_with_a_final_mark():
    assert clean("  Is  it\n true? ", "en") == "Is it true?" and clean("cafe\u0301", "fr") == "caf\u00e9."
    assert clean("你好", "zh") == "你好。" and clean(" ", "en") == ""


def test_pairs_that_a_check_would_refuse_are_left_out():
    def pair(positive, negative):
        return Pair("", {"en": positive[0], "fr": positive[1]}, {"en": negative[0], "fr": negative[1]})

    good = pair(("One is good.", "Un est bon."), ("Two is evil.", "Un est nul."))
    equal = pair(("Same.", "Autre."), ("Same.", "Mal."))
    unlike = pair(("A is?", "B est."), ("C is.", "D est."))
    untranslated = pair(("E is.", "E is."), ("F is.", "F est."))
    assert usable([good, equal, unlike, untranslated, good]) == [good]


def test_texts_of_a_language_without_a_full_stop_end_alike():
    thai = [Single("", k % 2 == 0, {"de": f"Satz {k}.", "th": text}) for k, text in enumerate(["ให้ดี", "เพื่อน"])]
    [pair] = matched(thai)
    assert pair.positive["th"] == "ให้ดี" and usable([pair]) == [pair]
    asked = pair._replace(positive={"de": "Satz 0.", "th": "ให้ดี?"})
    assert usable([asked]) == []
