"""Language fidelity: whether a completion is in its prompt's language, by script and, in Latin script, by words."""

import unicodedata
from collections import Counter
from functools import cache

from xlv.corpus.languages import LANGUAGES, language

_KANA = ("HIRAGANA", "KATAKANA")
_KANA_SHARE = 0.1
_MIN_LETTERS = 10
# py3langid knows no Chichewa: whether a completion is in it cannot be told.
_UNKNOWN_TO_IDENTIFIER = ("ny",)


@cache
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages([code for code in LANGUAGES if code not in _UNKNOWN_TO_IDENTIFIER])
    return identifier


def in_language(completion: str, code: str) -> bool | None:
    """Whether most of a completion is in language `code`; None where that cannot be told.

    By script where the script is telling: most letters belong to it, and Japanese is told from Chinese by its kana.
    In Latin script by py3langid among the languages of the study. None for fewer than ten letters (five where words
    have no spaces), and for a Latin-script language that the identifier does not know.
    """
    wanted, spaces = set(language(code).scripts), language(code).spaces
    scripts = Counter(unicodedata.name(c, "?").split()[0] for c in completion if c.isalpha())
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
    if code not in LANGUAGES or code in _UNKNOWN_TO_IDENTIFIER:
        return None
    return _identifier().classify(completion)[0] == code
