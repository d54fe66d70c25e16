"""One loader: contrastive pairs, control instructions and neutral sentences into tables.

A corpus is a folder with one folder per concept and in it one tab-separated file per language:
`{concept}/{language}.tsv`, UTF-8, no quoting, a header with `id group origin [cohort] [context] positive negative`.
A folder in the layout of the paper's MVALUE data, `{concept}/{concept}_{language}.json`, is read as it is.
The folders `control` (`id category origin harmless harmful`) and `neutral` (`id text`) are optional.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from xlv.cache import file_sha256, fingerprint
from xlv.corpus.concepts import CONCEPTS, VALUES
from xlv.corpus.languages import LANGUAGES, known_first, language
from xlv.corpus.table import BUILT_IN, CorpusError, mvalue_files, read_mvalue, read_table

COLUMNS = ("concept", "language", "pair", "group", "origin", "context", "positive", "negative")
SPECIAL = {"control": ("harmless", "harmful"), "neutral": ("text",)}  # folders that are no concepts: their texts
COHORTS = ("first", "second")  # rules were formed on the first; the second, of other situations, confirms
SEARCH_SIZE = 24
Chosen = Iterable[str] | None  # names; None: all


def _files(data: Path | None) -> dict[tuple[str, str], Path]:
    """Files of a corpus folder by concept and language, in the layout of MVALUE or, first, in ours."""
    folder = data or BUILT_IN
    return mvalue_files(folder) | {(path.parent.name, path.stem): path for path in folder.glob("*/*.tsv")}


def concepts_in(data: Path | None = None) -> list[str]:
    """Concepts of a corpus folder: the known ones in the order of the paper, then the others by name."""
    folder = data or BUILT_IN
    if not folder.is_dir():
        raise CorpusError(f"no folder {folder}: expected {{concept}}/{{language}}.tsv below it")
    found = {concept for concept, _ in _files(data)} - set(SPECIAL)
    if not found:
        inside = any(folder.glob("*.tsv"))
        remedy = f"give the folder above, {folder.resolve().parent}" if inside else "see the page on your own concept"
        raise CorpusError(f"{folder} holds no {{concept}}/{{language}}.tsv: {remedy}")
    return known_first(found, CONCEPTS)


def languages_in(data: Path | None, concept: str) -> list[str]:
    """Languages in which a corpus folder has a concept, the sixteen in their usual order first."""
    return known_first({code for name, code in _files(data) if name == concept}, LANGUAGES)


def load_pairs(
    concepts: Chosen = None,
    languages: Chosen = None,
    *,
    pairs: int | None = None,
    cohort: str = "first",
    data: Path | None = None,
) -> pd.DataFrame:
    """Contrastive pairs as a table with the columns COLUMNS, parallel over languages.

    Default: all value concepts and all languages that every concept has; `cohort` is one of COHORTS, or "all" (a corpus
    without such a column is all of the first), of which `pairs` keeps the first so many of each concept. Raises
    CorpusError for an unknown concept, language or cohort, and ids or groups that differ between languages.
    """
    if cohort not in (*COHORTS, "all"):
        raise CorpusError(f"unknown cohort {cohort!r}: choose one of {', '.join(COHORTS)}, all")
    known = concepts_in(data)
    chosen = list(concepts) if concepts else [c for c in known if data or c in VALUES]
    if unknown := [concept for concept in chosen if concept not in known]:
        raise CorpusError(f"unknown concept {unknown[0]!r}: choose from {', '.join(known)}")
    if pairs is not None and pairs < 2:
        raise CorpusError(f"expected at least 2 pairs per concept, got {pairs}")
    first, *others = [languages_in(data, concept) for concept in chosen]
    shared = [code for code in first if all(code in codes for codes in others)]
    codes = list(languages) if languages else shared
    if unknown := [code for code in codes if code not in shared]:
        raise CorpusError(f"unknown language {unknown[0]!r} for these concepts: choose from {', '.join(shared)}")
    return pd.concat([_load_concept(concept, codes, pairs, cohort, data) for concept in chosen], ignore_index=True)


def _load_concept(concept: str, codes: list[str], pairs: int | None, cohort: str, data: Path | None) -> pd.DataFrame:
    files, tables = _files(data), []
    for code in codes:
        path = files[concept, code]
        table = read_table(path) if path.suffix == ".tsv" else read_mvalue(path)
        table = pd.DataFrame(
            {"group": table["id"], "origin": "unknown", "cohort": "first", "context": ""} | dict(table)
        )
        if cohort != "all":
            table = table[table["cohort"] == cohort].reset_index(drop=True)
        if table.empty:
            raise CorpusError(f"{path} has no pairs of the {cohort} cohort: choose another, or all")
        tables.append(table.assign(pair=table["id"], concept=concept, language=code)[[*COLUMNS]])
        if not tables[-1][["pair", "group"]].equals(tables[0][["pair", "group"]]):
            differ = f"does not have {codes[0]}'s ids and groups in the same order: `xlv data check` lists what differs"
            raise CorpusError(f"{path} {differ}")
    return pd.concat([table[:pairs] for table in tables], ignore_index=True)


def full_texts(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Positive and negative texts of pairs, each behind its context (a scenario or a question) if it has one."""
    spaces = table["language"].map(lambda code: " " if language(code).spaces else "")
    before = table["context"] + spaces.where(table["context"] != "", "")
    return list(before + table["positive"]), list(before + table["negative"])


def load_instructions(
    code: str, split: str = "all", *, limit: int | None = None, data: Path | None = None
) -> pd.DataFrame:
    """The control set of a language: `id category harmless harmful`, matched instructions by row.

    `split` is "search" (the first 24 ids, on which strengths and layers are chosen), "evaluation" (the rest) or
    "all"; `limit` keeps the first so many rows of it. Raises CorpusError if the corpus has none.
    """
    table = read_table((data or BUILT_IN) / "control" / f"{code}.tsv", ("id", "category", *SPECIAL["control"]))
    splits = {"search": table[:SEARCH_SIZE], "evaluation": table[SEARCH_SIZE:], "all": table}
    if split not in splits:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(splits)}")
    return splits[split][:limit].reset_index(drop=True)


def load_neutral(code: str, *, data: Path | None = None) -> list[str]:
    """The neutral sentences of a language, parallel by position."""
    return list(read_table((data or BUILT_IN) / "neutral" / f"{code}.tsv", ("id", "text"))["text"])


def neutral_of(codes: Sequence[str], data: Path | None = None, limit: int | None = None) -> dict[str, list[str]] | None:
    """Neutral sentences by language, the first `limit`: the corpus's or the built-in ones; None if one has none."""
    folder = data if data and (data / "neutral").is_dir() else BUILT_IN
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
    return {key: sum(full_texts(rows), []) for key, rows in table.groupby(["concept", "language"], sort=False)}
