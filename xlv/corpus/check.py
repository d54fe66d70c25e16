"""What makes a corpus usable: parallel ids, the right script and language, like lengths, no surface shortcuts."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from xlv.cache import Progress, silent
from xlv.corpus.languages import LANGUAGES, language
from xlv.corpus.pairs import BUILT_IN, concepts_in, languages_in
from xlv.corpus.shortcut import SURFACES, shortcut_accuracy, shortcut_scores
from xlv.corpus.table import CorpusError, read_table

MAX_LENGTH_DEVIATION = 0.10
MIN_SAME_ENDING = 0.95
MIN_IDENTIFIED = 0.95
MIN_SCRIPT = 0.80
SHORTCUT_NOTE = 0.75

FIGURES = (
    "concept",
    "language",
    "pairs",
    "mean_characters",
    "identified",
    "groups",
    "length_ratio",
    "same_ending",
    *SURFACES,
)
_SIDES = {"control": ("harmless", "harmful"), "neutral": ("text",)}
_UNKNOWN_TO_IDENTIFIER = ("ny",)


@dataclass
class Report:
    """Outcome of a check: `errors` make a corpus unusable, `notes` deserve a look, `figures` are per file."""

    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: pd.DataFrame = field(default_factory=pd.DataFrame)


def check_corpus(
    data: Path | None = None, *, languages: Iterable[str] | None = None, progress: Progress = silent
) -> Report:
    """Check every file of a corpus folder (the built-in one by default) and measure it.

    `languages` restricts it to some, English beside them. Errors: files that cannot be read, ids or groups that
    differ between languages, empty, equal or repeated texts, texts left in English, a wrong script, a language that
    the identifier does not agree with for 95 % of a file, length ratios off by more than 10 %, endings that differ
    in more than 5 % of the pairs.
    Figures, a row per concept and language, NaN where there is nothing to measure: pairs, groups, length ratio, same
    endings, share identified, and the paired accuracy of the two surface classifiers, folds by group.
    """
    root, report, rows = data or BUILT_IN, Report(), []
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages([code for code in LANGUAGES if code not in _UNKNOWN_TO_IDENTIFIER])
    folders = [*concepts_in(data), *(name for name in _SIDES if (root / name).is_dir())]
    for done, concept in enumerate(folders):
        progress("checking the corpus", done, len(folders))
        codes = [code for code in languages_in(data, concept) if not languages or code in ("en", *languages)]
        tables = {}
        for code in codes:
            try:
                tables[code] = read_table(root / concept / f"{code}.tsv", ("id", *_sides(concept)))
            except CorpusError as error:
                report.errors.append(str(error))
        report.errors += list(_parallel_faults(concept, tables))
        for code, table in tables.items():
            report.errors += list(_text_faults(concept, code, table, tables.get("en")))
            rows.append(_figures(concept, code, table, identifier, report))
    progress("checking the corpus", len(folders), len(folders))
    report.figures = pd.DataFrame(rows, columns=FIGURES)
    return report


def _sides(concept: str) -> tuple[str, ...]:
    return _SIDES.get(concept, ("positive", "negative"))


def _parallel_faults(concept: str, tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    if not tables:
        return
    first = next(iter(tables))
    for code, table in tables.items():
        for column in ("id", "group", "origin", "category"):
            reference = tables[first].get(column)
            if reference is None or (column in table and list(table[column]) == list(reference)):
                continue
            if column == "id":
                odd = ", ".join(sorted(set(table["id"]) ^ set(reference))[:8])
                differ = f"differ from {first}'s, expected the same: {odd}" if odd else f"are not in {first}'s order"
                yield f"{concept}/{code}: ids {differ}"
                break
            yield f"{concept}/{code}: the column {column!r} differs from {first}'s"


def _text_faults(concept: str, code: str, table: pd.DataFrame, english: pd.DataFrame | None) -> Iterator[str]:
    sides = _sides(concept)
    for side in sides:
        whole = table["context"] + " " + table[side] if "context" in table else table[side]
        for pair in table.loc[whole.duplicated(), "id"]:
            yield f"{concept}/{code} {pair}: this {side} text stands twice"
        if english is not None and code != "en":
            same = set(zip(english["id"], english[side], strict=True))
            for pair, text in zip(table["id"], table[side], strict=True):
                if (pair, text) in same:
                    yield f"{concept}/{code} {pair}: the {side} text is still the English one"
        for pair, text in zip(table["id"], table[side], strict=True):
            if in_script(text, code) < MIN_SCRIPT:
                yield f"{concept}/{code} {pair}: not in the script of {language(code).name}: {text}"
            if text != unicodedata.normalize("NFC", text):
                yield f"{concept}/{code} {pair}: not in Unicode normal form C"
    if len(sides) == 2:
        for pair in table.loc[table[sides[0]] == table[sides[1]], "id"]:
            yield f"{concept}/{code} {pair}: both sides are equal"


def in_script(text: str, code: str) -> float:
    """Share of a text's letters that belong to the scripts of its language; 1 for no letters or unknown scripts."""
    if not language(code).scripts:
        return 1.0
    names = [unicodedata.name(c, "") for c in text if unicodedata.category(c)[0] in "LM"]
    scripts = (*language(code).scripts, "COMBINING")
    return sum(name.startswith(scripts) for name in names) / len(names) if names else 1.0


def _figures(concept: str, code: str, table: pd.DataFrame, identifier: LanguageIdentifier, report: Report) -> dict:
    sides = _sides(concept)
    row: dict = {"concept": concept, "language": code, "pairs": len(table)}
    texts = [text for side in sides for text in table[side]]
    row["mean_characters"] = sum(map(len, texts)) / len(texts)
    if code in LANGUAGES and code not in _UNKNOWN_TO_IDENTIFIER:
        found = [identifier.classify(text)[0] for text in texts]
        row["identified"] = sum(answer == code for answer in found) / len(found)
        odd = [f"{text} [{answer}]" for text, answer in zip(texts, found, strict=True) if answer != code]
        where = f"{concept}/{code}: identified as {language(code).name} in {row['identified']:.1%} of the texts"
        if row["identified"] < MIN_IDENTIFIED:
            report.errors.append(f"{where}, expected {MIN_IDENTIFIED:.0%}; not so: {'; '.join(odd[:5])}")
        elif odd:
            report.notes.append(f"{where}; not so: {'; '.join(odd)}")
    if len(sides) == 2:
        row |= _pair_figures(concept, code, table, report)
    return row


def _pair_figures(concept: str, code: str, table: pd.DataFrame, report: Report) -> dict:
    positive, negative = (table[side] for side in _sides(concept))
    groups = table.get("group", table.get("category", table["id"]))
    row: dict = {"groups": groups.nunique()}
    row["length_ratio"] = positive.str.len().mean() / negative.str.len().mean()
    row["same_ending"] = float((positive.str[-1] == negative.str[-1]).mean())
    if abs(row["length_ratio"] - 1) > MAX_LENGTH_DEVIATION:
        report.errors.append(
            f"{concept}/{code}: positive texts are {row['length_ratio']:.2f} times as long as negative ones, expected "
            f"{1 - MAX_LENGTH_DEVIATION:.2f} to {1 + MAX_LENGTH_DEVIATION:.2f}"
        )
    if row["same_ending"] < MIN_SAME_ENDING:
        report.errors.append(
            f"{concept}/{code}: the two sides end alike in {row['same_ending']:.0%} of the pairs, expected "
            f"{MIN_SAME_ENDING:.0%}"
        )
    if row["groups"] < 2:
        report.notes.append(f"{concept}/{code}: fewer than two groups, so no shortcut accuracy can be measured")
        return row
    for surface in SURFACES:
        margins = shortcut_scores(positive, negative, groups, surface=surface, spaces=language(code).spaces)
        row[surface] = shortcut_accuracy(margins)
        if row[surface] > SHORTCUT_NOTE:
            report.notes.append(
                f"{concept}/{code}: {surface} alone tell the sides apart in {row[surface]:.0%} of the pairs"
            )
    return row
