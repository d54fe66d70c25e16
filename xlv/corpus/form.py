"""The form of texts, whatever they say: how they end, and whether the rows of two languages can be translations."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

CORRELATED, USUAL = 0.15, 0.5  # rank correlations of lengths of translations: lower than any of ours, and a usual one
MIN_NUMBERS = 3


def ending(text: str) -> str:
    """The mark with which a text ends, or nothing: Thai has no full stop, and a last letter is no form."""
    return "".join(mark for mark in text[-1:] if unicodedata.category(mark)[0] not in "LMN")


def unparallel(texts: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Languages, in words, whose rows do not go with those of the others; `texts` are parallel by row, by language.

    Translations are long where the others are long, and have the same numbers. Said is a rank correlation of lengths
    below 0.15 that is no chance of few rows, and other numbers in half of the rows that have any.
    """
    table = pd.DataFrame(dict(texts))
    ranks = table.map(len).rank()
    numbers = table.map(lambda text: {int(n) for n in re.findall(r"\d{1,15}", text)})
    least = min(CORRELATED, USUAL - 1.645 / np.sqrt(max(len(ranks), 1)))
    for code in texts if len(texts) > 2 else [*texts][1:]:
        others = [other for other in texts if other != code]
        beside = [set().union(*row) for row in numbers[others].to_numpy()]
        both = [mine & theirs for mine, theirs in zip(numbers[code], beside, strict=True) if mine and theirs]
        alike, odd = ranks[code].corr(ranks[others].mean(axis=1)), sum(not shared for shared in both)
        found = [f"rank correlation of lengths {alike:.2f}"] if alike < least else []
        if odd >= max(MIN_NUMBERS, len(both) / 2):
            found.append(f"other numbers in {odd} of {len(both)} rows that have any")
        if found:
            those = others[0] if len(others) == 1 else f"the {len(others)} other languages"
            yield f"the rows of {code} do not go with those of {those}: {', '.join(found)}"
