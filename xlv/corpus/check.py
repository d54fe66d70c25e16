"""What makes a corpus usable: parallel ids, the right script and language, like lengths, no surface shortcuts."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from xlv.cache import Progress, counted, silent
from xlv.corpus.languages import IDENTIFIED, identified, language
from xlv.corpus.pairs import BUILT_IN, SPECIAL, concepts_in, languages_in
from xlv.corpus.shortcut import SURFACES, shortcut_accuracy, shortcut_scores
from xlv.corpus.table import CorpusError, read_table

MAX_LENGTH_DEVIATION = 0.10
MIN_SAME_ENDING = 0.95
MIN_IDENTIFIED = 0.95
MIN_SCRIPT = 0.80
SHORTCUT_NOTE = 0.75
NEAR_COPY = 0.6

_PER_FILE = ("concept", "language", "pairs", "mean_characters", "identified", "groups", "length_ratio", "same_ending")
FIGURES = (*_PER_FILE, *SURFACES)


@dataclass
class Report:
    """Outcome of a check: `errors` make a corpus unusable, `notes` deserve a look, `figures` are per file."""

    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: pd.DataFrame = field(default_factory=pd.DataFrame)


def check_corpus(
    data: Path | None = None, *, languages: Iterable[str] | None = None, progress: Progress = silent
) -> Report:
    """Check every file of a corpus folder, or those of some `languages` and English, and measure it.

    Errors: files that cannot be read, ids or groups that differ between languages, empty, equal or repeated texts,
    texts left in English, a wrong script, a language that the identifier does not find in 95 % of a file, mean lengths
    that differ by over 10 %, endings in over 5 % of the pairs, and texts of the second cohort that share 60 % of their
    sequences of characters with one of the first, or stand in a situation of the first. Figures: a row per
    concept and language with the columns FIGURES, NaN where there is nothing to measure; SURFACES are accuracies of
    surface classifiers, folds by group.
    """
    root, report, rows, texts = data or BUILT_IN, Report(), [], []
    folders = [*concepts_in(data), *(name for name in SPECIAL if (root / name).is_dir())]
    for concept in counted(folders, "checking the corpus", progress):
        sides, tables = SPECIAL.get(concept, ("positive", "negative")), {}
        for code in languages_in(data, concept):
            try:
                if not languages or code in ("en", *languages):
                    tables[code] = read_table(root / concept / f"{code}.tsv", ("id", *sides))
            except CorpusError as error:
                report.errors.append(str(error))
        report.errors += _parallel_faults(concept, tables)
        for code, table in tables.items():
            report.errors += _text_faults(concept, code, tables, sides)
            figures = _measured(f"{concept}/{code}", code, table, sides, report)
            rows.append({"concept": concept, "language": code, **figures})
            situations = concept + "/" + table.get("group", table["id"])
            about = {"language": code, "pair": concept + " " + table["id"], "group": situations}
            about["cohort"] = table.get("cohort", "first")
            texts += [pd.DataFrame({**about, "text": table[side]}) for side in sides]
    for _, found in pd.concat(texts).groupby("language", sort=False) if texts else ():
        report.errors += _near_copies(found.reset_index(drop=True))
    report.figures = pd.DataFrame(rows, columns=FIGURES)
    return report


def _parallel_faults(concept: str, tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    first, reference = next(iter(tables.items()), ("", pd.DataFrame()))
    for code, table in tables.items():
        if list(table["id"]) != list(reference["id"]):
            odd = ", ".join(sorted(set(table["id"]) ^ set(reference["id"]))[:8])
            differ = f"differ from {first}'s, expected the same: {odd}" if odd else f"are not in {first}'s order"
            yield f"{concept}/{code}: ids {differ}"
            continue
        for column in reference.columns.intersection(["group", "origin", "cohort", "category"]):
            if column not in table or list(table[column]) != list(reference[column]):
                yield f"{concept}/{code}: the column {column!r} differs from {first}'s"


def _text_faults(concept: str, code: str, tables: dict[str, pd.DataFrame], sides: tuple[str, ...]) -> Iterator[str]:
    where, table = f"{concept}/{code}", tables[code]
    english = tables["en"] if "en" in tables and code != "en" else table[:0]
    for side in sides:
        whole = table["context"] + " " + table[side] if "context" in table else table[side]
        for pair in table.loc[whole.duplicated(), "id"]:
            yield f"{where} {pair}: this {side} text stands twice"
        untranslated = set(zip(english["id"], english[side], strict=True))
        for pair, text in zip(table["id"], table[side], strict=True):
            if (pair, text) in untranslated:
                yield f"{where} {pair}: the {side} text is still the English one"
            if in_script(text, code) < MIN_SCRIPT:
                yield f"{where} {pair}: not in the script of {language(code).name}: {text}"
            if text != unicodedata.normalize("NFC", text):
                yield f"{where} {pair}: not in Unicode normal form C"
    for pair in table.loc[table[sides[0]] == table[sides[-1]], "id"] if len(sides) == 2 else ():
        yield f"{where} {pair}: both sides are equal"


def _near_copies(texts: pd.DataFrame) -> Iterator[str]:
    """Faults of the second cohort in one language: situations of the first, and near copies of its texts."""
    second = texts["cohort"] == "second"
    for group in sorted({*texts["group"][second]} & {*texts["group"][~second]}):
        yield f"{group}: this situation stands in two cohorts"
    if not second.any():
        return
    code, length = texts["language"][0], 4 if language(texts["language"][0]).spaces else 3
    count = CountVectorizer(analyzer="char", ngram_range=(length, length), binary=True, dtype=np.float32)
    grams = count.fit_transform(texts["text"])
    sizes = grams.sum(axis=1).A1
    shared = (grams[second.to_numpy()] @ grams.T).toarray()
    alike = shared / np.maximum(sizes[second][:, None] + sizes - shared, 1)
    new = texts[second].reset_index(drop=True)
    for i, j in np.argwhere((alike > NEAR_COPY) & ~second.to_numpy()):
        yield f"{code}: {new['pair'][i]} is a near copy of {texts['pair'][j]}: {new['text'][i]} | {texts['text'][j]}"


def in_script(text: str, code: str) -> float:
    """Share of a text's letters that belong to the scripts of its language; 1 for no letters or unknown scripts."""
    scripts = language(code).scripts
    names = [unicodedata.name(c, "") for c in text if unicodedata.category(c)[0] in "LM"]
    belong = [name.startswith((*scripts, "COMBINING")) for name in names]
    return sum(belong) / len(belong) if scripts and belong else 1.0


def _measured(where: str, code: str, table: pd.DataFrame, sides: tuple[str, ...], report: Report) -> dict[str, float]:
    """Figures of a file; what is wrong with one, or deserves a look, goes into the report."""
    texts = [text for side in sides for text in table[side]]
    row = {"pairs": len(table), "mean_characters": sum(map(len, texts)) / len(texts)}
    if code in IDENTIFIED:
        odd = [f"{text} [{found}]" for text in texts if (found := identified(text)) != code]
        row["identified"] = 1 - len(odd) / len(texts)
        said = f"{where}: identified as {language(code).name} in {row['identified']:.1%} of the texts"
        if row["identified"] < MIN_IDENTIFIED:
            report.errors.append(f"{said}, expected {MIN_IDENTIFIED:.0%}; not so: {'; '.join(odd[:5])}")
        elif odd:
            report.notes.append(f"{said}; not so: {'; '.join(odd)}")
    if len(sides) < 2:
        return row
    positive, negative = (table[side] for side in sides)
    groups = table.get("group", table.get("category", table["id"]))
    ratio, alike = positive.str.len().mean() / negative.str.len().mean(), (positive.str[-1] == negative.str[-1]).mean()
    row |= {"groups": groups.nunique(), "length_ratio": ratio, "same_ending": alike}
    if abs(ratio - 1) > MAX_LENGTH_DEVIATION:
        expected = f"expected {1 - MAX_LENGTH_DEVIATION:.2f} to {1 + MAX_LENGTH_DEVIATION:.2f}"
        report.errors.append(f"{where}: positive texts are {ratio:.2f} times as long as negative ones, {expected}")
    if alike < MIN_SAME_ENDING:
        report.errors.append(f"{where}: sides end alike in {alike:.0%} of the pairs, expected {MIN_SAME_ENDING:.0%}")
    if row["groups"] < 2:
        report.notes.append(f"{where}: fewer than two groups, so no shortcut accuracy can be measured")
        return row
    for surface in SURFACES:
        margins = shortcut_scores(positive, negative, groups, surface=surface, spaces=language(code).spaces)
        row[surface] = shortcut_accuracy(margins)
        if row[surface] > SHORTCUT_NOTE:
            report.notes.append(f"{where}: {surface} alone distinguish the sides in {row[surface]:.0%} of the pairs")
    return row
