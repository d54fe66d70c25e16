"""What cheap counts say of a completion, without a model: whether it is broken, and in its prompt's language."""

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from functools import cache

from xlv.corpus.languages import IDENTIFIED, identified, language, primary

_LOOP = re.compile(r"(.{6,200}?)\1{2,}|(.{1,5}?)\2{5,}")  # of letters alone, so that numbered repeats are repeats
_TRIPLES = 40  # neighbouring triples of letters among which repeats are counted, as many as a short text has
_DISTINCT, _DISTINCT_CJK = 0.62, 0.74  # least share of them that differ; in the corpus's texts it is .70 and .78
_LETTERS = 0.5  # least share of letters in what is not space: below, a text is code or marks
_STRAY = 0.03  # largest share of letters in scripts that have no place in the text
_ECHO, _PIECE = 0.77, 4  # share of letters that stand in the prompt, in pieces of so many, from which it is repeated
_ASIDE = re.compile(r"[\"“«「『(（].{1,60}?[\"”»」』)）]|`[^`]*`")  # where words of another script have their place
_KANA = {"HIRAGANA", "KATAKANA"}
_JAPANESE, _KOREAN = {"CJK", *_KANA}, {"CJK", "HANGUL"}
_KANA_SHARE = 0.1
_MIN_LETTERS = 10
BROKEN_RULES = _LOOP.pattern, _TRIPLES, _DISTINCT, _DISTINCT_CJK, _LETTERS, _STRAY, _ECHO, _PIECE, _ASIDE.pattern


@cache
def _script(sign: str) -> str:
    """The script of a letter or of a mark on one; empty for other signs."""
    name = unicodedata.name(sign, "") if unicodedata.category(sign)[0] in "LM" else ""
    return name.split("-")[0].split()[0] if name else ""


def _letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if _script(sign))


def is_broken(completion: str, code: str, prompt: str = "") -> bool:
    """Whether a completion to a `prompt` in language `code` is broken.

    It is where it has no letters, or as code fewer than other signs; where it repeats itself or the prompt; and where
    words stand in it in scripts that are neither the language's, nor Latin, nor those of most of the text. It repeats
    itself where a stretch of letters stands three times in a row, or among forty triples of letters too few differ.
    """
    text = unicodedata.normalize("NFKC", completion.strip())
    letters, signs, asked = _letters(text), sum(not sign.isspace() for sign in text), _letters(prompt)
    code_like = signs > _TRIPLES and len(letters) < _LETTERS * signs
    if not letters or code_like or "\ufffd" in text[:-3] or _LOOP.search(letters):
        return True
    pieces = SequenceMatcher(None, letters, asked, False).get_matching_blocks()
    if sum(piece.size for piece in pieces if piece.size >= _PIECE) > _ECHO * len(letters):
        return True
    most = Counter(map(_script, letters)).most_common(1)[0][0]
    triples = [letters[i : i + 3] for i in range(len(letters) - 2)]
    spans = [triples[i : i + _TRIPLES] for i in range(0, max(1, len(triples) - _TRIPLES + 1), 4)]
    least = _DISTINCT_CJK if most in _JAPANESE else _DISTINCT
    if len(triples) >= _TRIPLES // 2 and min(len(set(span)) / len(span) for span in spans) < least:
        return True
    home = next((group for group in (_JAPANESE, _KOREAN) if most in group), {most})
    home = home | {"LATIN", "COMBINING", *language(code).scripts}
    told = _letters(_ASIDE.sub("", text))
    return sum(_script(sign) not in home for sign in told) > max(1, _STRAY * len(told))


def in_language(completion: str, code: str) -> bool | None:
    """Whether most of a completion is in language `code`; None where that cannot be known.

    By script where that decides: most letters belong to it, and kana distinguish Japanese from Chinese.
    In Latin script by py3langid among the languages of the study. None for fewer than ten letters (five where words
    have no spaces), and for a Latin-script language that the identifier does not know.
    """
    wanted, spaces = set(language(code).scripts), language(code).spaces
    scripts = Counter(_script(sign) for sign in completion if sign.isalpha())
    total = sum(scripts.values())
    if total < (_MIN_LETTERS if spaces else _MIN_LETTERS // 2):
        return None
    if sum(scripts[s] for s in wanted) * 2 <= total:
        return False
    if "CJK" in wanted:
        kana = sum(scripts[s] for s in _KANA) / total
        return (kana >= _KANA_SHARE) == ("HIRAGANA" in wanted)
    if "LATIN" not in wanted:
        return True
    return identified(completion) == primary(code) if primary(code) in IDENTIFIED else None
