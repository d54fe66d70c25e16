"""What makes a corpus usable: parallel ids, the right script and language, like lengths, no surface shortcuts."""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from xlv.cache import Progress, counted, silent
from xlv.corpus import pairs as corpus
from xlv.corpus.form import ending, unparallel
from xlv.corpus.languages import IDENTIFIED, LANGUAGES, identified, language, primary
from xlv.corpus.pairs import BUILT_IN, SPECIAL, Root, Some
from xlv.corpus.shortcut import SURFACES, shortcut_scores
from xlv.corpus.table import CorpusError, read_table
from xlv.openings import PLACE, own_openings
from xlv.statistics.resampling import MIN_GROUPS
from xlv.statistics.vectors import hits

MIN_SAME_ENDING, MIN_IDENTIFIED, MIN_SCRIPT = 0.95, 0.95, 0.80
MAX_LENGTH_DEVIATION, SHORTCUT_NOTE, NEAR_COPY = 0.10, 0.75, 0.6
MANY = 1_000  # pairs: surface classifiers are measured on the first so many
SHOWN = 20  # faults of a file that are listed
_STEERING = {c: f"\\x{c:02x}" for c in (*range(32), *range(127, 160), 0x2028, 0x2029)}  # a line or a terminal

_PER_FILE = ("concept", "language", "pairs", "mean_characters", "identified", "groups", "length_ratio", "same_ending")
FIGURES = (*_PER_FILE, *SURFACES)


@dataclass
class Report:
    """Outcome of a check: `errors` make a corpus unusable, `notes` deserve a look, `figures` are per file."""

    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: pd.DataFrame = field(default_factory=pd.DataFrame)


def check_corpus(data: Root = None, *, languages: Some = None, progress: Progress = silent) -> Report:
    """Check every file of a corpus folder, or those of some `languages` and English, and measure it.

    Errors: what a run would refuse, and what the constants of this module bound: ids or groups that differ between
    languages, equal, repeated or English texts, another script or language, other lengths or endings, situations or
    near copies of the first cohort in the second. Figures: a row per concept and language with the columns FIGURES, NaN
    where there is nothing to measure; surface classifiers have folds by group and the first MANY pairs.
    """
    report, rows, texts = Report(), [], []
    folder, files, concepts = Path(data or BUILT_IN), corpus.corpus_files(data), corpus.concepts_in(data)
    if others := sorted({*folder.glob("[!.]*/[!.]*")} - {*files.values(), folder / PLACE}):
        report.notes.append(f"not read: {', '.join(f'{path.parent.name}/{path.name}' for path in others)}")
    try:
        if unknown := [c for c in corpus.languages_in(data, "control") if c not in {*LANGUAGES, *own_openings(data)}]:
            report.notes.append(f"question 4 leaves {', '.join(unknown)} out: no openings of refusals in {PLACE}")
    except ValueError as error:
        report.errors.append(str(error))
    for concept in counted([*concepts, *SPECIAL], "checking the corpus", progress):
        sides, tables = SPECIAL.get(concept, ("positive", "negative")), {}
        for code in corpus.languages_in(data, concept):
            try:
                if not languages or code in ("en", *languages):
                    tables[code] = read_table(files[concept, code], ("id", *sides))
                    report.notes += [f"{concept}/{code}: {said}" for said in _notes(tables[code], sides)]
                    if concept == "control":
                        corpus.load_instructions(code, "evaluation", data=data)
            except CorpusError as error:
                report.errors.append(str(error))
        tables = {code: table for code, table in corpus.without_equal(tables).items() if len(table)}
        report.errors += _parallel_faults(concept, tables)
        for side in sides if len({*map(len, tables.values())}) == 1 else ():
            columns = {code: table[side] for code, table in tables.items()}
            report.notes += [f"{concept}, {side}: {note}" for note in unparallel(columns)]
        for code, table in tables.items():
            report.errors += islice(_text_faults(concept, code, tables, sides), SHOWN)
            figures = _measured(f"{concept}/{code}", code, table, sides, report)
            rows.append({"concept": concept, "language": code, **figures})
            situations = concept + "/" + table.get("group", table["id"])
            about = {"language": code, "pair": concept + " " + table["id"], "cohort": table.get("cohort", "first")}
            texts += [pd.DataFrame({**about, "group": situations, "text": table[side]}) for side in sides]
    for _, found in pd.concat(texts).groupby("language", sort=False) if texts else ():
        report.errors += islice(_near_copies(found.reset_index(drop=True)), SHOWN)
    if not languages and not report.errors:
        _load(concepts, data, report)
    report.errors, report.notes = ([line.translate(_STEERING) for line in x] for x in (report.errors, report.notes))
    report.figures = pd.DataFrame(rows, columns=FIGURES)
    return report


def _load(concepts: list[str], data: Root, report: Report) -> None:
    """Load the corpus as a run would: what that refuses is an error, what it leaves out a note."""
    try:
        loaded = corpus.load_pairs(concepts, data=data)
    except CorpusError as error:
        return report.errors.append(str(error))
    if more := sorted(
        {code for concept, code in corpus.corpus_files(data) if concept in concepts} - {*loaded["language"]}
    ):
        report.notes.append(f"not every concept has {', '.join(more)}, so it is read with --concepts only")
    for concept, found in loaded.groupby("concept", sort=False)["group"].nunique().items():
        if found < MIN_GROUPS:
            report.errors.append(f"{concept}: pairs of {found} groups, expected {MIN_GROUPS} or more, to halve them")


def _notes(table: pd.DataFrame, sides: tuple[str, ...]) -> Iterator[str]:
    """What is left out of a file as it is read, and what in it may be meant in another way than it is read."""
    yield from table.attrs.get("notes", ())
    quoted = [text[1:-1] for side in sides for text in table[side] if text[0] == text[-1] == '"']
    if len(quoted) == len(sides) * len(table) or any('""' in t and '"' not in t.replace('""', "") for t in quoted):
        yield f"double quotes around {len(quoted)} texts, as of a spreadsheet, are read as text: {quoted[0]}"
    names = pd.Series(table.get("group", ()), dtype=object).drop_duplicates()
    if len(same := names[names.str.normalize("NFKC").str.casefold().duplicated(keep=False)]):
        yield f"groups whose names differ in case or form alone are taken for several: {', '.join(same)}"
    if len(table) > MANY:
        yield f"{len(table):,} pairs: a run takes time by their square (see --pairs), words are those of {MANY:,}"


def _parallel_faults(concept: str, tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    first, reference = next(iter(tables.items()), ("", pd.DataFrame()))
    for code, table in tables.items():
        if list(table["id"]) != list(reference["id"]):
            odd = ", ".join(sorted(set(table["id"]) ^ set(reference["id"]))[:8])
            differ = f"differ from {first}'s, expected the same: {odd}" if odd else f"are not in {first}'s order"
            yield f"{concept}/{code}: ids {differ}"
            continue
        for column in reference.columns.intersection(["group", "origin", "cohort", "category", "split"]):
            if column not in table or list(table[column]) != list(reference[column]):
                yield f"{concept}/{code}: the column {column!r} differs from {first}'s"


def _text_faults(concept: str, code: str, tables: dict[str, pd.DataFrame], sides: tuple[str, ...]) -> Iterator[str]:
    where, table = f"{concept}/{code}", tables[code]
    english = next((found for other, found in tables.items() if primary(other) == "en" != primary(code)), table[:0])
    texts = "".join(table[[*sides]].to_numpy().flat)
    letters = Counter(unicodedata.name(c, "?").split()[0] for c in texts if c.isalpha())
    scripts = language(code).scripts or tuple(dict(letters.most_common(1)))
    for pair in table.loc[table[sides[0]] == table[sides[-1]], "id"] if len(sides) == 2 else ():
        yield f"{where} {pair}: both sides are equal"
    for side in sides:
        whole = table["context"] + " " + table[side] if "context" in table else table[side]
        untranslated = set(zip(english["id"], english[side], strict=True))
        for pair, text, again in zip(table["id"], table[side], whole.duplicated(), strict=True):
            if again:
                yield f"{where} {pair}: this {side} text stands twice"
            if (pair, text) in untranslated:
                yield f"{where} {pair}: the {side} text is still the English one"
            if in_script(text, scripts) < MIN_SCRIPT:
                yield f"{where} {pair}: not in the script of {language(code).name}, {' or '.join(scripts)}: {text}"
            if text != unicodedata.normalize("NFC", text):
                yield f"{where} {pair}: not in Unicode normal form C"


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
    sizes, (new,), (old,) = grams.sum(axis=1).A1, np.nonzero(second), np.nonzero(~second)
    for rows in np.array_split(new, len(new) // MANY + 1):  # of all at once, the memory would be quadratic
        shared = (grams[rows] @ grams[old].T).toarray()
        found = np.argwhere(shared > NEAR_COPY * np.maximum(sizes[rows][:, None] + sizes[old] - shared, 1))
        for i, j in found[:SHOWN]:
            one, other = texts.iloc[rows[i]], texts.iloc[old[j]]
            yield f"{code}: {one['pair']} is a near copy of {other['pair']}: {one['text']} | {other['text']}"


def in_script(text: str, scripts: tuple[str, ...]) -> float:
    """Share of a text's letters that belong to some scripts; 1 for no letters or no scripts."""
    names = [unicodedata.name(c, "") for c in text if unicodedata.category(c)[0] in "LM"]
    belong = [name.startswith((*scripts, "COMBINING")) for name in names]
    return sum(belong) / len(belong) if scripts and belong else 1.0


def _measured(where: str, code: str, table: pd.DataFrame, sides: tuple[str, ...], report: Report) -> dict[str, float]:
    """Figures of a file; what is wrong with one, or deserves a look, goes into the report."""
    own, texts = primary(code), [text for side in sides for text in table[side]]
    row = {"pairs": len(table), "mean_characters": sum(map(len, texts)) / len(texts)}
    if own in IDENTIFIED and language(code).scripts == language(own).scripts:
        odd = [f"{text} [{found}]" for text in texts if (found := identified(text)) != own]
        row["identified"] = 1 - len(odd) / len(texts)
        said = f"{where}: identified as {language(code).name} in {row['identified']:.1%} of the texts"
        if row["identified"] < MIN_IDENTIFIED:
            report.errors.append(f"{said}, expected {MIN_IDENTIFIED:.0%}; not so: {'; '.join(odd[:5])}")
        elif odd:
            report.notes.append(f"{said}; not so: {'; '.join(odd[:SHOWN])}")
    if len(sides) < 2:
        return row
    positive, negative = (table[side] for side in sides)
    groups = table.get("group", table.get("category", table["id"]))
    ratio = positive.str.len().mean() / negative.str.len().mean()
    alike = (positive.map(ending) == negative.map(ending)).mean()
    row |= {"groups": groups.nunique(), "length_ratio": ratio, "same_ending": alike}
    if abs(ratio - 1) > MAX_LENGTH_DEVIATION:
        expected = f"expected {1 - MAX_LENGTH_DEVIATION:.2f} to {1 + MAX_LENGTH_DEVIATION:.2f}"
        report.errors.append(f"{where}: positive texts are {ratio:.2f} times as long as negative ones, {expected}")
    if alike < MIN_SAME_ENDING:
        report.errors.append(f"{where}: sides end alike in {alike:.0%} of the pairs, expected {MIN_SAME_ENDING:.0%}")
    few = positive[:MANY], negative[:MANY], groups[:MANY]
    for surface in SURFACES if few[-1].nunique() > 1 else ():
        row[surface] = float(hits(shortcut_scores(*few, surface=surface, spaces=language(code).spaces)).mean())
        if row[surface] > SHORTCUT_NOTE:
            report.notes.append(f"{where}: {surface} alone distinguish the sides in {row[surface]:.0%} of the pairs")
    return row
