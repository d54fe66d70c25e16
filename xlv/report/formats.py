"""Numbers, counts, names and phrases as a reader sees them, in sentences, tables and figures."""

import math
import re
import string
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

import pandas as pd
from markupsafe import Markup

from xlv.questions.common import SHORT_NAMES

PHRASES = tomllib.loads((Path(__file__).parent / "assets" / "phrases.toml").read_text(encoding="utf-8"))


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, the minus a true one; what rounds to zero has none."""
    return cell(value, f"{{:+.{digits}f}}")


def cell(value: float, form: str) -> str:
    """A number by a format such as `{:+.2f}`, the minus a true one; zero has no sign, what is not known is a dash."""
    text = "–" if math.isnan(value) else form.format(value)
    return text.replace("-", "−") if any(digit in text for digit in "123456789") else text.lstrip("+-")


def plain(value: float, digits: int = 2) -> str:
    """A number whose sign is only shown if it is negative; a dash for one that is not known."""
    return signed(value, digits).removeprefix("+")


def p_value(value: float) -> str:
    """A p-value in a cell; a dash for one that is not known."""
    return unbroken("< 0.001") if value < 0.001 else plain(value, 3)


def p_equals(value: float) -> str:
    """A p-value in a sentence."""
    return "p < 0.001" if value < 0.001 else f"p = {plain(value, 3)}"


def readable(table: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """A table's numbers as text: those of a column `p` or `p, …` as p-values, counts as they are, the others plain."""

    def written(column: pd.Series) -> pd.Series:
        form = p_value if str(column.name).split(",")[0] == "p" else str if column.dtype.kind == "i" else plain
        return column.map(lambda value: plain(value, digits) if form is plain else form(value))

    return table.apply(written)


def with_intervals(table: pd.DataFrame, digits: int = 2, values: Callable[[float, int], str] = plain) -> pd.DataFrame:
    """`readable`, but a column `…` and its ends `…_low` and `…_high` are one, written by `values`."""
    shown = readable(table, digits)
    for name in [name for name in table if f"{name}_low" in table]:
        parts = ([values(number, digits) for number in table[f"{name}{end}"]] for end in ("", "_low", "_high"))
        shown[name] = [f"{one} ({low} to {high})" if low != "–" else one for one, low, high in zip(*parts, strict=True)]
        shown = shown.drop(columns=[f"{name}_low", f"{name}_high"])
    return shown


def unbroken(text: str) -> str:
    """A text that stays on one line of a cell."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def counted(count: int, noun: str) -> str:
    """`1 language`, `2 languages`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def short(title: str) -> str:
    """A model's short name, or its title without the quantisation, for pages that name it in full elsewhere."""
    bare = re.sub(r" \((?!published\))[^)]*\)", "", title)
    return SHORT_NAMES.get(bare, bare)


def told_apart(titles: Iterable[str]) -> list[str]:
    """Short titles; whole ones, in two lines, where two of them would be the same."""
    whole = list(titles)
    names = [short(title) for title in whole]
    return names if len(set(names)) == len(names) else [title.replace(" (", "\n(") for title in whole]


class Said(Markup):
    """Markdown of ours. Whatever else enters it, by `say`, `format`, `join` or `+`, is shown as the text that it is."""

    _MARKS = re.compile(r"[!\"#$%&'*+:;<=>?@\[\\\]^_`{|}~]|\.(?=[^\W\d]|\s)|\)(?=\s)|^-")

    @classmethod
    def escape(cls, text: object) -> Self:
        """Text on one line, its marks as entities, which Markdown with all its extensions and HTML read as text."""
        if isinstance(text, cls):
            return text
        return cls(cls._MARKS.sub(lambda mark: f"&#{ord(mark[0])};", " ".join(str(text).split())))


class _Phrase(string.Formatter):
    def format_field(self, value: object, form: str) -> str:
        return p_equals(value) if form == "p" else cell(value, f"{{:{form}}}") if form else Said.escape(value)


def say(about: str, phrase: str, **numbers: object) -> Said:
    """A phrase of a table of `assets/phrases.toml`, filled with numbers and names."""
    return Said(_Phrase().format(" ".join(PHRASES[about][phrase].split()), **numbers))
