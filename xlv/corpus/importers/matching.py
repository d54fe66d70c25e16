"""Contrastive pairs out of single texts: of one form and nearly one length, so that neither distinguishes the sides."""

import unicodedata
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from xlv.corpus.form import ending

MAX_RATIO = 1.3  # of the lengths of a pair's two texts
MAX_MEAN_RATIO = 1.08  # of the mean lengths of the two sides; `xlv data check` allows 1.10
_MARKS = frozenset(".!?。！？…؟।۔።")
_FULL_STOP = {"zh": "。", "ja": "。", "th": ""}

Texts = Mapping[str, str]  # one text in every language, by code


class Single(NamedTuple):
    """One text with its side; only texts of one `group` are paired."""

    group: str
    positive: bool
    texts: Texts
    context: str = ""


class Pair(NamedTuple):
    """A pair in every language."""

    group: str
    positive: Texts
    negative: Texts
    context: str = ""


def clean(text: str, code: str) -> str:
    """The text on one line in normal form C, with a final mark: a full stop where it has none."""
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    return line if not line or line[-1] in _MARKS else line + _FULL_STOP.get(code, ".")


def matched(singles: Iterable[Single]) -> list[Pair]:
    """Pair each negative text with the positive one of its group that ends alike and is nearest in length.

    Lengths are summed and endings compared over all languages. Texts without a partner are left out.
    """
    sides: dict[tuple, tuple[list, list]] = defaultdict(lambda: ([], []))
    for index, single in enumerate(singles):
        ends = tuple(map(ending, single.texts.values()))
        length = sum(map(len, single.texts.values()))
        insort(sides[single.group, ends][single.positive], (length, index, single))
    pairs = []
    for negative, positive in sides.values():
        for length, index, single in negative:
            at = bisect_left(positive, (length, index))
            near = positive[max(at - 1, 0) : at + 1]  # the ones before and after it by length
            best = min(near, key=lambda other: abs(other[0] - length), default=None)
            if best and max(best[0], length) <= MAX_RATIO * min(best[0], length):
                positive.remove(best)
                pairs.append((index, Pair(single.group, best[2].texts, single.texts, single.context)))
    return [pair for _, pair in sorted(pairs)]


def usable(pairs: Iterable[Pair]) -> list[Pair]:
    """Pairs that a check lets pass: texts that differ and end alike, none twice."""
    seen, kept = set(), []
    for pair in pairs:
        both = (pair.positive, pair.negative)
        texts = {(k, pair.context, code, text) for k, side in enumerate(both) for code, text in side.items()}
        sides = [(pair.positive[code], pair.negative[code]) for code in pair.positive]
        alike = all(p and n and p != n and ending(p) == ending(n) for p, n in sides)
        if alike and all(len({*side.values()}) == len(side) for side in both) and seen.isdisjoint(texts):
            seen |= texts
            kept.append(pair)
    return kept


def levelled(kept: list[Pair]) -> list[Pair]:
    """Leave out the most unequal pairs until no language's sides differ in mean length by more than allowed."""
    while kept:  # fields 1 and 2 of a pair are its positive and its negative texts
        length = {(s, c): sum(len(pair[s][c]) for pair in kept) for s in (1, 2) for c in kept[0].positive}
        ratio, longer, worst = max((length[s, c] / length[3 - s, c], s, c) for s, c in length)
        if ratio <= MAX_MEAN_RATIO:
            return kept
        excess = [len(pair[longer][worst]) - len(pair[3 - longer][worst]) for pair in kept]
        drop = set(sorted(range(len(kept)), key=excess.__getitem__)[-max(1, len(kept) // 50) :])
        kept = [pair for index, pair in enumerate(kept) if index not in drop]
    return kept
