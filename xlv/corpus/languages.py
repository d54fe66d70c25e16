"""The sixteen languages of the study: names, families, scripts, and how to join two texts in them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """One language.

    `code` is ISO 639-1; `uriel` the ISO 639-3 code under which URIEL has its features
    (`cmn` and `swh` have the genetic and geographic neighbours that `zho` and `swa` lack);
    `scripts` are the prefixes of the Unicode names of the letters it is written in.
    """

    code: str
    name: str
    family: str
    uriel: str
    scripts: tuple[str, ...] = ("LATIN",)
    spaces: bool = True

    @property
    def label(self) -> str:
        """Name and code as figures show them, for example `Swahili (sw)`; the code alone where no name is known."""
        return self.code if self.name == self.code else f"{self.name} ({self.code})"


_ALL = (
    Language("en", "English", "Indo-European", "eng"),
    Language("fr", "French", "Indo-European", "fra"),
    Language("zh", "Chinese", "Sino-Tibetan", "cmn", ("CJK",), spaces=False),
    Language("es", "Spanish", "Indo-European", "spa"),
    Language("pt", "Portuguese", "Indo-European", "por"),
    Language("vi", "Vietnamese", "Austroasiatic", "vie"),
    Language("ca", "Catalan", "Indo-European", "cat"),
    Language("id", "Indonesian", "Austronesian", "ind"),
    Language("ja", "Japanese", "Japonic", "jpn", ("CJK", "HIRAGANA", "KATAKANA"), spaces=False),
    Language("ko", "Korean", "Koreanic", "kor", ("HANGUL",)),
    Language("fi", "Finnish", "Uralic", "fin"),
    Language("hu", "Hungarian", "Uralic", "hun"),
    Language("ta", "Tamil", "Dravidian", "tam", ("TAMIL",)),
    Language("te", "Telugu", "Dravidian", "tel", ("TELUGU",)),
    Language("sw", "Swahili", "Niger-Congo", "swh"),
    Language("ny", "Chichewa", "Niger-Congo", "nya"),
)

LANGUAGES: dict[str, Language] = {language.code: language for language in _ALL}


def language(code: str) -> Language:
    """The language of a code; one that is not among the sixteen gets its code as name, no family and no script."""
    return LANGUAGES.get(code) or Language(code, code, "unknown", code, scripts=())


def labels(codes: Iterable[str]) -> list[str]:
    """`Name (code)` of each code, for figures."""
    return [language(code).label for code in codes]
