"""One loader: contrastive pairs, control instructions and neutral sentences into tables.

A corpus is a folder with one folder a concept and one tab-separated file a language in it:
`{concept}/{language}.tsv`, UTF-8, no quoting, a header line with `id group origin [context] positive negative`.
The folders `control` (`id category origin harmless harmful`) and `neutral` (`id text`) are optional.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import pandas as pd

from xlv.cache import fingerprint
from xlv.corpus.concepts import CONCEPTS, VALUES
from xlv.corpus.languages import LANGUAGES, language

BUILT_IN = Path(str(files("xlv.corpus"))) / "data"
COLUMNS = ("concept", "language", "pair", "group", "origin", "context", "positive", "negative")
SPECIAL = ("control", "neutral")
SEARCH_SIZE = 24
_NEEDED = {"control": ("id", "category", "harmless", "harmful"), "neutral": ("id", "text")}


class CorpusError(ValueError):
    """A corpus that cannot be read; the message names the file, what is wrong and what was expected."""


def read_table(path: Path, needed: Sequence[str] = ("id", "positive", "negative")) -> pd.DataFrame:
    """One corpus file as a table of strings; raises CorpusError for one that is missing, empty or malformed."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CorpusError(f"no file {path}: expected one tab-separated file a language") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise CorpusError(f"{path} is empty: expected a header line and at least one row")
    header = lines[0].split("\t")
    absent = [column for column in needed if column not in header]
    if absent:
        raise CorpusError(f"{path} lacks the column {absent[0]!r}: its header is {header}, expected {list(needed)}")
    rows = [line.split("\t") for line in lines[1:]]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise CorpusError(f"{path}, line {number}: {len(row)} fields, expected {len(header)} separated by tabs")
    table = pd.DataFrame(rows, columns=header, dtype=object)
    twice = table.loc[table["id"].duplicated(), "id"]
    if len(twice):
        raise CorpusError(f"{path}: the id {twice.iloc[0]!r} stands twice; ids must be unique in a file")
    blank = table.loc[(table[list(needed)].apply(lambda c: c.str.strip()) == "").any(axis=1), "id"]
    if len(blank):
        raise CorpusError(f"{path}: an empty field in row {blank.iloc[0]!r}; every text must be given")
    return table


def concepts_in(data: Path | None = None) -> list[str]:
    """Concepts of a corpus folder: the known ones in the order of the paper, then the others by name."""
    folder = data or BUILT_IN
    if not folder.is_dir():
        raise CorpusError(f"no folder {folder}: expected {{concept}}/{{language}}.tsv below it")
    found = {path.parent.name for path in folder.glob("*/*.tsv")} - set(SPECIAL)
    if not found:
        raise CorpusError(f"{folder} holds no {{concept}}/{{language}}.tsv: see the page on bringing your own concept")
    return [c for c in CONCEPTS if c in found] + sorted(found - set(CONCEPTS))


def languages_in(data: Path | None, concept: str) -> list[str]:
    """Languages in which a corpus folder has a concept, the sixteen in their usual order first."""
    found = {path.stem for path in ((data or BUILT_IN) / concept).glob("*.tsv")}
    return [code for code in LANGUAGES if code in found] + sorted(found - set(LANGUAGES))


def load_pairs(
    concepts: Iterable[str] | None = None,
    languages: Iterable[str] | None = None,
    *,
    pairs: int | None = None,
    data: Path | None = None,
) -> pd.DataFrame:
    """Contrastive pairs as a table with the columns COLUMNS, parallel over languages.

    Default: all value concepts and all languages that every concept has. `pairs` keeps the first so many ids
    of each concept. Raises CorpusError for an unknown concept or language and for ids or groups that differ
    between languages.
    """
    known = concepts_in(data)
    chosen = list(concepts) if concepts else [c for c in known if data or c in VALUES]
    for concept in chosen:
        if concept not in known:
            raise CorpusError(f"unknown concept {concept!r}: choose from {', '.join(known)}")
    if pairs is not None and pairs < 2:
        raise CorpusError(f"expected at least 2 pairs a concept, got {pairs}")
    shared = [code for code in languages_in(data, chosen[0]) if all(code in languages_in(data, c) for c in chosen)]
    codes = list(languages) if languages else shared
    for code in codes:
        if code not in shared:
            raise CorpusError(f"unknown language {code!r} for these concepts: choose from {', '.join(shared)}")
    return pd.concat([_load_concept(concept, codes, pairs, data) for concept in chosen], ignore_index=True)


def _load_concept(concept: str, codes: list[str], pairs: int | None, data: Path | None) -> pd.DataFrame:
    tables, first = [], None
    for code in codes:
        path = (data or BUILT_IN) / concept / f"{code}.tsv"
        table = read_table(path)
        for column, default in (("group", table["id"]), ("origin", "unknown"), ("context", "")):
            if column not in table:
                table[column] = default
        table = table.rename(columns={"id": "pair"}).assign(concept=concept, language=code)[list(COLUMNS)]
        if first is None:
            first = table
        elif list(table["pair"]) != list(first["pair"]) or list(table["group"]) != list(first["group"]):
            raise CorpusError(
                f"{path} does not have the ids and groups of {codes[0]}.tsv in the same order: a parallel corpus "
                "pairs rows by id; `xlv data check` lists what differs"
            )
        tables.append(table if pairs is None else table.head(pairs))
    return pd.concat(tables, ignore_index=True)


def full_texts(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Positive and negative texts of pairs, each behind its context (a scenario or a question) if it has one."""
    joins = [
        (f"{c} " if language(code).spaces else c) if c else ""
        for c, code in zip(table.context, table.language, strict=True)
    ]
    positive = [join + text for join, text in zip(joins, table.positive, strict=True)]
    negative = [join + text for join, text in zip(joins, table.negative, strict=True)]
    return positive, negative


def load_instructions(
    code: str, split: str = "all", *, limit: int | None = None, data: Path | None = None
) -> pd.DataFrame:
    """The control set of a language: `id category harmless harmful`, matched instructions by row.

    `split` is "search" (the first 24 ids, on which strengths and layers are chosen), "evaluation" (the rest) or
    "all"; `limit` keeps the first so many rows of it. Raises CorpusError if the corpus has none.
    """
    if split not in ("search", "evaluation", "all"):
        raise ValueError(f"unknown split {split!r}: choose search, evaluation or all")
    table = read_table((data or BUILT_IN) / "control" / f"{code}.tsv", _NEEDED["control"])
    rows = {"search": slice(None, SEARCH_SIZE), "evaluation": slice(SEARCH_SIZE, None), "all": slice(None)}[split]
    return table.iloc[rows].head(limit if limit is not None else len(table)).reset_index(drop=True)


def load_neutral(code: str, *, data: Path | None = None) -> list[str]:
    """The neutral sentences of a language, parallel by position."""
    return list(read_table((data or BUILT_IN) / "neutral" / f"{code}.tsv", _NEEDED["neutral"])["text"])


def corpus_fingerprint(table: pd.DataFrame) -> str:
    """Hash of the texts, ids and groups of a table of pairs."""
    return fingerprint(table[list(COLUMNS)].to_csv(sep="\t", index=False, quoting=csv.QUOTE_NONE, escapechar="\\"))
