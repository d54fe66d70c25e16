"""One loader: contrastive pairs, control instructions and neutral sentences into tables.

A corpus is a folder with one folder a concept and one tab-separated file a language in it:
`{concept}/{language}.tsv`, UTF-8, no quoting, a header line with `id group origin [context] positive negative`.
A folder in the layout of the paper's MVALUE data, `{concept}/{concept}_{language}.json`, is read as it is.
The folders `control` (`id category origin harmless harmful`) and `neutral` (`id text`) are optional.
"""

import csv
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import pandas as pd

from xlv.cache import file_sha256, fingerprint
from xlv.corpus.concepts import CONCEPTS, VALUES
from xlv.corpus.importers import mvalue
from xlv.corpus.languages import LANGUAGES, language
from xlv.corpus.table import CorpusError, read_table

BUILT_IN = Path(str(files("xlv.corpus"))) / "data"
COLUMNS = ("concept", "language", "pair", "group", "origin", "context", "positive", "negative")
SPECIAL = ("control", "neutral")
SEARCH_SIZE = 24
_NEEDED = {"control": ("id", "category", "harmless", "harmful"), "neutral": ("id", "text")}


def concepts_in(data: Path | None = None) -> list[str]:
    """Concepts of a corpus folder: the known ones in the order of the paper, then the others by name."""
    folder = data or BUILT_IN
    if not folder.is_dir():
        raise CorpusError(f"no folder {folder}: expected {{concept}}/{{language}}.tsv below it")
    found = {path.parent.name for path in folder.glob("*/*.tsv")} - set(SPECIAL) or mvalue.concepts(folder)
    if not found:
        inside = any(folder.glob("*.tsv"))
        remedy = f"give the folder above, {folder.resolve().parent}" if inside else "see the page on your own concept"
        raise CorpusError(f"{folder} holds no {{concept}}/{{language}}.tsv: {remedy}")
    return [c for c in CONCEPTS if c in found] + sorted(found - set(CONCEPTS))


def languages_in(data: Path | None, concept: str) -> list[str]:
    """Languages in which a corpus folder has a concept, the sixteen in their usual order first."""
    folder = (data or BUILT_IN) / concept
    found = {path.stem for path in folder.glob("*.tsv")} or mvalue.languages(folder)
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
        table = read_table(path) if path.exists() else mvalue.read(path.with_name(f"{concept}_{code}.json"))
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


def neutral_of(codes: Iterable[str], data: Path | None = None, limit: int | None = None) -> dict[str, list[str]] | None:
    """Neutral sentences by language, the first `limit`: the corpus's own, or the built-in ones; None if one has none."""
    folder = data if data and (data / "neutral").is_dir() else BUILT_IN
    codes = list(codes)
    if not all((folder / "neutral" / f"{code}.tsv").is_file() for code in codes):
        return None
    return {code: load_neutral(code, data=folder)[:limit] for code in codes}


def corpus_fingerprint(table: pd.DataFrame) -> str:
    """Hash of the texts, ids and groups of a table of pairs."""
    return fingerprint(table[list(COLUMNS)].to_csv(sep="\t", index=False, quoting=csv.QUOTE_NONE, escapechar="\\"))


def folder_fingerprint(data: Path | None = None) -> str:
    """Hash of all files of texts in a corpus folder, for its data card; a changed text changes it."""
    folder = data or BUILT_IN
    files = sorted(path for path in folder.glob("*/*") if path.suffix in {".tsv", ".json"})
    return fingerprint([(str(path.relative_to(folder)), file_sha256(path)) for path in files])


def texts_of(table: pd.DataFrame) -> dict[tuple[str, str], list[str]]:
    """Texts of each (concept, language) of a table of pairs, positive ones first."""
    groups = table.groupby(["concept", "language"], sort=False)
    return {key: sum(full_texts(rows), []) for key, rows in groups}
