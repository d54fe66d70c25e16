"""The tables of the corpus page, as a reader sees them."""

import pandas as pd

from xlv.corpus.languages import LANGUAGES, language
from xlv.corpus.pairs import full_texts
from xlv.report.formats import plain, readable

SHOWN_IN = ("en", "zh", "ta", "sw")
# Soft hyphens, drawn only where a heading breaks: nine concepts across do not fit the page otherwise.
_HYPHENATED = "moral-ity deonto-logy fair-ness utili-tarian-ism truth-ful-ness harm-ful-ness senti-ment"
_BROKEN = {name.replace("-", ""): name.replace("-", "\N{SOFT HYPHEN}") for name in _HYPHENATED.split()}


def example_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """The first pair of every concept in some languages, of a table of pairs: both texts as a model reads them."""
    first = pairs[(pairs["pair"] == pairs["pair"].min()) & pairs["language"].isin(SHOWN_IN)]
    positive, negative = full_texts(first)
    first = first.assign(language=_names(first["language"]), positive=positive, negative=negative)
    return first.set_index(["concept", "language"])[["positive", "negative"]]


def likeness_table(figures: pd.DataFrame) -> pd.DataFrame:
    """Size of every concept and likeness of its two sides, means over languages, of a check's figures."""
    means = figures.groupby("concept", sort=False).mean(numeric_only=True)
    counts = means[["pairs", "groups"]].map(lambda value: plain(value, 0))
    shares = readable(means[["length_ratio", "same_ending", "identified"]])
    return counts.join(shares).rename(columns=lambda name: name.replace("_", " "))


def shortcut_table(figures: pd.DataFrame, surface: str) -> pd.DataFrame:
    """Paired accuracy of a surface classifier, `words` or `characters`: languages down, concepts across."""
    table = figures.pivot(index="language", columns="concept", values=surface)
    codes = [code for code in LANGUAGES if code in table.index] + [c for c in table.index if c not in LANGUAGES]
    table = readable(table.loc[codes, figures["concept"].unique()], 2)
    table.columns = [_BROKEN.get(name, name) for name in table.columns]
    return table.set_axis(_names(table.index))


def reading_table(review: pd.DataFrame) -> pd.DataFrame:
    """What the readings by language found, of the corpus's table of them."""
    return (
        review.set_axis(_names(review["language"]))
        .drop(columns="language")
        .rename(columns=lambda name: name.replace("_", " "))
    )


def _names(codes: pd.Series) -> list[str]:
    return [language(str(code)).name for code in codes]
