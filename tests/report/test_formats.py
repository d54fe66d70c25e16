import pandas as pd
import pytest

from xlv.report.formats import counted, p_equals, p_value, plain, readable, signed, told_apart


@pytest.mark.parametrize(
    ("value", "text"), [(0.0371, "+0.037"), (-0.0042, "−0.004"), (-0.0004, "0.000"), (0.0, "0.000")]
)
def test_a_sign_is_a_true_one_and_zero_has_none(value, text):
    assert signed(value) == text


def test_only_negative_numbers_show_a_sign_in_a_plain_cell_and_the_unknown_is_a_dash():
    assert [plain(value) for value in (0.251, -0.251, -0.001, float("nan"))] == ["0.25", "−0.25", "0.00", "–"]


def test_small_p_values_are_bounded_not_zero():
    assert (p_value(0.0004), p_value(0.0123), p_equals(0.0)) == ("<\N{NO-BREAK SPACE}0.001", "0.012", "p < 0.001")


def test_one_is_singular():
    assert (counted(1, "language"), counted(0, "language")) == ("1 language", "0 languages")


def test_unknown_p_values_are_not_small_ones():
    assert (p_value(float("nan")), p_equals(float("nan"))) == ("–", "p = –")


def test_readable_tables_are_text_with_bounded_p_values():
    table = readable(pd.DataFrame({"gap": [-0.0001, -0.25], "p": [0.0004, 0.5]}), 2)
    assert list(table["gap"]) == ["0.00", "−0.25"] and list(table["p"]) == [p_value(0.0004), "0.500"]


def test_titles_are_short_where_that_distinguishes_models():
    assert told_apart(["Model A (Q4_1)", "Model B"]) == ["Model A", "Model B"]


def test_titles_are_whole_where_two_would_be_the_same():
    assert told_apart(["Model A (Q4_1)", "Model A (Q8_0)"]) == ["Model A\n(Q4_1)", "Model A\n(Q8_0)"]


def test_results_of_others_say_so_in_their_short_title():
    assert told_apart(["Model A (Q4_1)", "Model A (published)"]) == ["Model A", "Model A (published)"]
