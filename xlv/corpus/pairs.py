"""One loader: contrastive pairs, control instructions and neutral sentences into tables.

A corpus is a folder with one folder per concept and in it one tab-separated file per language:
`{concept}/{language}.tsv`, UTF-8, no quoting, a header with `id group origin [cohort] [context] positive negative`.
A folder in the layout of the paper's MVALUE data, `{concept}/{concept}_{language}.json`, is read as it is.
The folders `control` (`id category origin [split] harmless harmful`) and `neutral` (`id text`) are optional.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from xlv.cache import file_sha256, fingerprint
from xlv.corpus.concepts import CONCEPTS, CONTROLS, VALUES
from xlv.corpus.languages import LANGUAGES, known_first, language
from xlv.corpus.table import BUILT_IN, CorpusError, read_table
from xlv.openings import PLACE
from xlv.settings import COHORTS, Settings, named_once
from xlv.statistics.resampling import MIN_GROUPS

COLUMNS = ("concept", "language", "pair", "group", "origin", "cohort", "context", "positive", "negative")
SPECIAL = {"control": ("harmless", "harmful"), "neutral": ("text",)}  # folders that are no concepts: their texts
SPLITS = ("search", "evaluation")  # of the control set
SEARCH_SIZE, MIN_SPLIT = 24, 2  # instructions of each kind: to search on where no split is said, and at least
_LARGEST = 64_000_000  # bytes of a file
_MEANT = re.compile(r"(\w+_)?[a-z]{2,3}([-_]\w+)?\.((tsv|json)(\.(gz|bz2|xz|zip|zst))?|csv)", re.IGNORECASE)
Some = Iterable[str] | None  # of concepts or languages; None: all
Root = Path | str | None  # folder of a corpus; None: the built-in one


def corpus_files(data: Root = None) -> dict[tuple[str, str], Path]:
    """Files of a corpus folder by concept and language; raises CorpusError for what seems meant but cannot be read."""
    files = {}
    for path in sorted(Path(data or BUILT_IN).glob("[!.]*/[!.]*")):
        concept, code = path.parent.name, path.stem
        if path.suffix == ".json" and code.startswith(f"{concept}_") and concept not in SPECIAL:
            code = code.removeprefix(f"{concept}_")
        elif path.suffix != ".tsv" and _MEANT.fullmatch(path.name):
            raise CorpusError(f"{path} is not read: save it as {code.split('.')[0].lower()}.tsv, or move it away")
        elif path.suffix != ".tsv":
            continue
        if not (path.is_file() and path.stat().st_size <= _LARGEST and f"{concept}{code}".isprintable()):
            raise CorpusError(f"{str(path)!r}: expected a file of at most {_LARGEST:,} bytes and of a printable name")
        if (other := files.setdefault((concept, code), path)) != path:
            raise CorpusError(f"{other} and {path} are both {concept} in {code}: keep one of them")
    return files


def concepts_in(data: Root = None) -> list[str]:
    """Concepts of a corpus folder: the known ones in the order of the paper, then the others by name."""
    folder = Path(data or BUILT_IN)
    if not folder.is_dir():
        raise CorpusError(f"no folder {folder}: expected {{concept}}/{{language}}.tsv below it")
    found = {concept for concept, _ in corpus_files(data)} - set(SPECIAL)
    if not found:
        inside = any(folder.glob("*.tsv"))
        remedy = f"give the folder above, {folder.resolve().parent}" if inside else "see the page on your own concept"
        raise CorpusError(f"{folder} holds no {{concept}}/{{language}}.tsv: {remedy}")
    return known_first(found, CONCEPTS)


def languages_in(data: Root, concept: str) -> list[str]:
    """Languages in which a corpus folder has a concept, the sixteen in their usual order first."""
    return known_first({code for name, code in corpus_files(data) if name == concept}, LANGUAGES)


def without_equal(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables of a concept by language, without the pairs that `read_mvalue` found to have equal sides in one."""
    equal = {pair for table in tables.values() for pair in table.attrs.get("equal", ())}
    return {code: table[~table["id"].isin(equal)].reset_index(drop=True) for code, table in tables.items()}


def load_pairs(
    concepts: Some = None, languages: Some = None, *, pairs: int | None = None, cohort: str = "all", data: Root = None
) -> pd.DataFrame:
    """Contrastive pairs as a table with the columns COLUMNS, parallel over languages.

    Default: all value concepts and all languages that every concept has; `cohort` is one of COHORTS, or "all" (a corpus
    without such a column is all of the first; built-in control concepts are read whole), of which `pairs` keeps the
    first so many of each concept. Raises ValueError for a name given twice, and CorpusError for an unknown concept,
    language or cohort, and ids or groups that differ between languages.
    """
    if cohort not in (*COHORTS, "all"):
        raise CorpusError(f"unknown cohort {cohort!r}: choose one of {', '.join(COHORTS)}, all")
    known = concepts_in(data)
    chosen, codes = ([names] if isinstance(names, str) else [*(names or ())] for names in (concepts, languages))
    named_once(concepts=chosen, languages=codes)
    chosen = chosen or [concept for concept in known if data or concept in VALUES]
    if unknown := [concept for concept in chosen if concept not in known]:
        raise CorpusError(f"unknown concept {unknown[0]!r}: choose from {', '.join(known)}")
    if pairs is not None and not (isinstance(pairs, int) and pairs >= 2):
        raise CorpusError(f"expected at least 2 pairs per concept, got {pairs!r}")
    found = {concept: languages_in(data, concept) for concept in chosen}
    shared = [code for code in found[chosen[0]] if all(code in codes for codes in found.values())]
    if not shared:
        there = "; ".join(f"{concept} has {', '.join(codes)}" for concept, codes in found.items())
        raise CorpusError(f"no language in which every concept is there, name some with --concepts: {there}")
    if unknown := [code for code in codes if code not in shared]:
        raise CorpusError(f"unknown language {unknown[0]!r} for these concepts: choose from {', '.join(shared)}")
    return pd.concat(
        [_load_concept(concept, codes or shared, pairs, cohort, data) for concept in chosen], ignore_index=True
    )


def _load_concept(concept: str, codes: list[str], pairs: int | None, cohort: str, data: Root) -> pd.DataFrame:
    files, tables = corpus_files(data), []
    cohort = "all" if concept in CONTROLS and data is None else cohort
    for code, table in without_equal({code: read_table(files[concept, code]) for code in codes}).items():
        usual = {"group": table["id"], "origin": "unknown", "cohort": "first", "context": ""}
        table = pd.DataFrame(usual | dict(table)).assign(pair=table["id"], concept=concept, language=code)
        tables.append(table[table["cohort"].isin([cohort] if cohort != "all" else COHORTS)].reset_index(drop=True))
        if tables[-1].empty:
            raise CorpusError(f"{files[concept, code]} has no pairs of the {cohort} cohort: choose another, or all")
        if not tables[-1][["pair", "group"]].equals(tables[0][["pair", "group"]]):
            differ = f"does not have {codes[0]}'s ids and groups in the same order: `xlv data check` lists what differs"
            raise CorpusError(f"{files[concept, code]} {differ}")
    return pd.concat([table[:pairs] for table in tables], ignore_index=True)[[*COLUMNS]]


def pairs_of(settings: Settings) -> pd.DataFrame:
    """The pairs that settings ask for; raises CorpusError where the corpus lacks them, or has too few situations."""
    concepts = settings.concepts or (None if settings.data else (*VALUES, *(CONTROLS if settings.controls else ())))
    how = {"pairs": settings.pairs, "cohort": settings.cohort, "data": settings.folder}
    table = load_pairs(concepts, settings.languages, **how)
    for name, found in table.groupby("concept", sort=False)["group"].nunique().items():
        if found < MIN_GROUPS:
            raise CorpusError(f"{name} has pairs of {found} groups: expected {MIN_GROUPS} or more, to halve them")
    return table


def cohorts_of(pairs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Indices of one concept's pairs by cohort, and of `all`: these alone unless both cohorts can be halved."""
    rows = pairs[pairs["language"] == pairs["language"].iloc[0]]
    found = {name: np.flatnonzero(rows["cohort"] == name) for name in COHORTS}
    apart = all(rows["group"].iloc[places].nunique() >= MIN_GROUPS for places in found.values())
    return (found if apart else {}) | {"all": np.arange(len(rows))}


def full_texts(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Positive and negative texts of pairs, each behind its context (a scenario or a question) if it has one."""
    spaces = table["language"].map(lambda code: " " if language(code).spaces else "")
    before = table["context"] + spaces.where(table["context"] != "", "")
    return list(before + table["positive"]), list(before + table["negative"])


def load_instructions(code: str, split: str = "all", *, limit: int | None = None, data: Root = None) -> pd.DataFrame:
    """The control set of a language: `id category [split] harmless harmful`, matched instructions by row.

    `split` is "search" (on which strengths and layers are chosen), "evaluation" or "all": as the column `split` says,
    or without one the first 24 ids and the rest; `limit` keeps so many rows of it, of the evaluation the last, which
    are the newest. Raises CorpusError if the corpus has none, too few to split, or a row of another split.
    """
    if split not in (*SPLITS, "all"):
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}, all")
    path = Path(data or BUILT_IN) / "control" / f"{code}.tsv"
    table = read_table(path, ("id", "category", *SPECIAL["control"]))
    said = "split" in table
    splits = table["split"] if said else pd.Series(np.where(table.index < SEARCH_SIZE, *SPLITS), table.index)
    if odd := sorted({*splits} - {*SPLITS}):
        raise CorpusError(f"{path} has a row of the split {odd[0]!r}: expected {' or '.join(SPLITS)}")
    if split != "all" and min((splits == name).sum() for name in SPLITS) < MIN_SPLIT:
        expected = f"{MIN_SPLIT} of each split" if said else f"{SEARCH_SIZE + MIN_SPLIT}, {SEARCH_SIZE} to search on"
        raise CorpusError(f"{path} has {len(table)} rows: expected {expected}")
    rows = table[(splits == split) | (split == "all")]
    return (rows[-limit:] if limit and split == "evaluation" else rows[:limit]).reset_index(drop=True)


def load_neutral(code: str, *, data: Root = None) -> list[str]:
    """The neutral sentences of a language, parallel by position: the corpus's, or else the built-in ones."""
    own, built_in = (Path(folder or BUILT_IN) / "neutral" / f"{code}.tsv" for folder in (data, None))
    return list(read_table(own if own.is_file() or not built_in.is_file() else built_in, ("id", "text"))["text"])


def neutral_of(codes: Sequence[str], data: Root = None, limit: int | None = None) -> dict[str, list[str]] | None:
    """Neutral sentences by language, the first `limit`: the corpus's or the built-in ones; None if one has none."""
    folder = data if data and (Path(data) / "neutral").is_dir() else BUILT_IN
    if not all((folder / "neutral" / f"{code}.tsv").is_file() for code in codes):
        return None
    return {code: load_neutral(code, data=folder)[:limit] for code in codes}


def corpus_fingerprint(table: pd.DataFrame) -> str:
    """Hash of the texts, ids and groups of a table of pairs, whatever their cohorts."""
    texts = table[[*COLUMNS]].drop(columns="cohort")
    return fingerprint(texts.to_csv(sep="\t", index=False, quoting=csv.QUOTE_NONE, escapechar="\\"))


def folder_fingerprint(data: Root = None) -> str:
    """Hash of all files of texts in a corpus folder, and of its openings; a changed text changes it."""
    folder = Path(data or BUILT_IN)
    files = sorted([*corpus_files(data).values(), *folder.glob(str(PLACE))])
    return fingerprint([(str(path.relative_to(folder)), file_sha256(path)) for path in files])


def texts_of(table: pd.DataFrame) -> dict[tuple[str, str], list[str]]:
    """Texts of each (concept, language) of a table of pairs, positive ones first."""
    return {key: sum(full_texts(rows), []) for key, rows in table.groupby(["concept", "language"], sort=False)}
