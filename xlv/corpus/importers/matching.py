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
            if not positive:
                break
            at = bisect_left(positive, (length, index))
            near = [k for k in (at - 1, at) if 0 <= k < len(positive)]
            best = min(near, key=lambda k: abs(positive[k][0] - length))
            if max(positive[best][0], length) <= MAX_RATIO * min(positive[best][0], length):
                partner = positive.pop(best)[2]
                pairs.append((index, Pair(single.group, partner.texts, single.texts, single.context)))
    return [pair for _, pair in sorted(pairs, key=lambda item: item[0])]


def usable(pairs: Iterable[Pair]) -> list[Pair]:
    """Pairs that a check lets pass: texts that differ and end alike, none twice."""
    seen, kept = set(), []
    for pair in pairs:
        both = (pair.positive, pair.negative)
        sides = [(k, pair.context, code, text) for k, side in enumerate(both) for code, text in side.items()]
        texts = [(pair.positive[code], pair.negative[code]) for code in pair.positive]
        uneven = any(not p or not n or p == n or ending(p) != ending(n) for p, n in texts)
        untranslated = any(len(set(side.values())) < len(side) for side in both)
        if not uneven and not untranslated and seen.isdisjoint(sides):
            seen.update(sides)
            kept.append(pair)
    return kept


def levelled(kept: list[Pair]) -> list[Pair]:
    """Leave out the most unequal pairs until no language's sides differ in mean length by more than allowed."""
    while kept:
        ratios = {}
        for code in kept[0].positive:
            ratios[code] = sum(len(p.positive[code]) for p in kept) / sum(len(p.negative[code]) for p in kept)
        worst = max(ratios, key=lambda code: max(ratios[code], 1 / ratios[code]))
        if max(ratios[worst], 1 / ratios[worst]) <= MAX_MEAN_RATIO:
            return kept
        sign = 1 if ratios[worst] > 1 else -1
        excess = [sign * (len(p.positive[worst]) - len(p.negative[worst])) for p in kept]
        drop = set(sorted(range(len(kept)), key=excess.__getitem__)[-max(1, len(kept) // 50) :])
        kept = [pair for index, pair in enumerate(kept) if index not in drop]
    return kept
