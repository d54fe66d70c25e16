"""The sixteen languages of the study: names, families, scripts, how alike they are, and which one a text is in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

KINDS = ("genetic", "syntactic", "geographic", "phonological")  # of similarity


@dataclass(frozen=True)
class Language:
    """One language: `scripts` are the prefixes of the Unicode names of the letters it is written in."""

    code: str
    name: str
    family: str
    scripts: tuple[str, ...] = ("LATIN",)
    spaces: bool = True

    @property
    def label(self) -> str:
        """Name and code as figures show them, for example `Swahili (sw)`; the code alone where no name is known."""
        return self.code if self.name == self.code else f"{self.name} ({self.code})"


_ALL = (
    Language("en", "English", "Indo-European"),
    Language("fr", "French", "Indo-European"),
    Language("zh", "Chinese", "Sino-Tibetan", ("CJK",), spaces=False),
    Language("es", "Spanish", "Indo-European"),
    Language("pt", "Portuguese", "Indo-European"),
    Language("vi", "Vietnamese", "Austroasiatic"),
    Language("ca", "Catalan", "Indo-European"),
    Language("id", "Indonesian", "Austronesian"),
    Language("ja", "Japanese", "Japonic", ("CJK", "HIRAGANA", "KATAKANA"), spaces=False),
    Language("ko", "Korean", "Koreanic", ("HANGUL",)),
    Language("fi", "Finnish", "Uralic"),
    Language("hu", "Hungarian", "Uralic"),
    Language("ta", "Tamil", "Dravidian", ("TAMIL",)),
    Language("te", "Telugu", "Dravidian", ("TELUGU",)),
    Language("sw", "Swahili", "Niger-Congo"),
    Language("ny", "Chichewa", "Niger-Congo"),
)

LANGUAGES: dict[str, Language] = {language.code: language for language in _ALL}
IDENTIFIED = tuple(code for code in LANGUAGES if code != "ny")  # py3langid knows no Chichewa


def language(code: str) -> Language:
    """The language of a code; one that is not among the sixteen gets its code as name, no family and no script."""
    return LANGUAGES.get(code) or Language(code, code, "unknown", scripts=())


def labels(codes: Iterable[str]) -> list[str]:
    """`Name (code)` of each code, for figures."""
    return [language(code).label for code in codes]


def known_first(found: set[str], known: Iterable[str]) -> list[str]:
    """The known ones of those found in their usual order, then the others by name."""
    return [*(name for name in known if name in found), *sorted(found - set(known))]


def linguistic_similarity(languages: Sequence[str]) -> dict[str, np.ndarray]:
    """Similarities `[language, language]`, 1 − URIEL distance, by kind; NaN where URIEL has no shared features."""
    table = pd.read_csv(str(files("xlv.corpus") / "uriel" / "distances.csv"), keep_default_na=False, na_values=[""])
    back = table.rename(columns={"first": "second", "second": "first"})
    distances = pd.concat([table, back]).set_index(["first", "second"])
    result = {}
    for kind in KINDS:
        result[kind] = 1 - distances[kind].unstack().reindex(index=languages, columns=languages).to_numpy()
        np.fill_diagonal(result[kind], 1.0)
    return result


@cache
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(IDENTIFIED)
    return identifier


def identified(text: str) -> str:
    """Which of the languages IDENTIFIED a text is most likely in."""
    return _identifier().classify(text)[0]
