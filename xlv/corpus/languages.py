"""The sixteen languages of the study: names, families, scripts, how alike they are, and which one a text is in."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
        return self.name if self.name.endswith((self.code, f"({self.code})")) else f"{self.name} ({self.code})"


_ROWS = pd.read_csv(str(files("xlv.corpus") / "data" / "languages.tsv"), sep="\t", keep_default_na=False).to_numpy()
_KNOWN = {c: Language(c, *about, tuple(scripts.split()), gaps == "yes") for c, *about, scripts, gaps, _ in _ROWS}
_SHORT = {long: code for code, *_, aliases in _ROWS for long in aliases.split()}  # ISO 639-2 and 639-3
LANGUAGES: dict[str, Language] = dict(list(_KNOWN.items())[:16])  # the others are written without spaces
_TAGS = {"latn": "LATIN", "cyrl": "CYRILLIC", "arab": "ARABIC", "deva": "DEVANAGARI"}
IDENTIFIED = tuple(code for code in LANGUAGES if code != "ny")  # py3langid knows no Chichewa


def primary(code: str) -> str:
    """The language of a code or tag as ISO 639-1 has it: `zh` for `zho`, `zh-Hant` and `zh_CN`."""
    first = re.split("[-_]", code.lower())[0]
    return _SHORT.get(first, first)


@cache
def language(code: str) -> Language:
    """The language of a code or tag (`zh-Hans`, `eng_Latn`); one that is not known is `unknown` and has no scripts."""
    own, tagged = primary(code), tuple(script for tag, script in _TAGS.items() if tag in code.lower())
    known = _KNOWN.get(own) or Language(code, code, "unknown", scripts=())
    if code not in (own, known.name):
        known = replace(known, code=code, name=f"{known.name} ({code})")
    return replace(known, scripts=tagged, spaces=True) if tagged else known


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
    own, result = np.array([primary(code) for code in languages]), {}
    for kind in KINDS:
        similarity = 1 - distances[kind].unstack().reindex(index=own, columns=own).to_numpy()
        result[kind] = np.where(own[:, None] == own, 1.0, similarity)
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
