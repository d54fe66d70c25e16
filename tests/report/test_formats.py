import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from xlv.report.formats import (
    Said,
    counted,
    p_equals,
    p_value,
    plain,
    readable,
    say,
    signed,
    told_apart,
    with_intervals,
)


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


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "[here](javascript:alert(1))",
        "![x](y.png)",
        "<https://example.org>",
        "$\\href{javascript:alert(1)}{x}$",
        "{raw}`html` {{ config }}",
        "a | b `c` **d** __e__ ~f~ &lt; \\*",
        "1. first",
        "- item",
        "# head",
        "> said",
        "two\n\n# lines",
        "www.example.org and model.sh",
    ],
)
def test_a_name_from_outside_is_text_in_markdown_wherever_it_enters(name):
    shown = " ".join(name.split())
    phrase = say("refusals", "not_asked", title=name)
    for markdown in (
        Said.escape(name),
        phrase,
        Said(", ").join([name, "x"]),
        Said("*{}*").format(name),
        Said("") + name,
    ):
        page = BeautifulSoup(MarkdownIt("gfm-like", {"html": True}).render(markdown), "html.parser")
        assert shown in page.get_text() and {tag.name for tag in page.find_all()} <= {"p", "em"}


def test_what_is_markdown_of_ours_stays_so_however_often_it_is_put_into_a_phrase():
    inner = say("short", "control", name="A & B", verdicts="*")
    assert inner == "- **A &#38; B**: &#42;." and inner in say("short", "control", name="", verdicts=inner)


def test_a_value_and_its_interval_are_one_cell():
    table = pd.DataFrame({"rho": [0.5, np.nan], "rho_low": [-0.25, np.nan], "rho_high": [1.0, np.nan], "n": [3, 12]})
    shown = with_intervals(table.assign(**{"p, alone": [0.0001, 0.2]}))
    assert list(shown["rho"]) == ["0.50 (−0.25 to 1.00)", "–"] and list(shown["n"]) == ["3", "12"]
    assert list(shown["p, alone"]) == ["<\N{NO-BREAK SPACE}0.001", "0.200"] and list(shown) == ["rho", "n", "p, alone"]
    assert with_intervals(table, 1, signed)["rho"].iloc[0] == "+0.5 (−0.2 to +1.0)"
