"""One corpus file as a table of strings: in our layout, or in that of the authors' MVALUE data.

MVALUE has `{concept}/{concept}_{language}.json`: groups map to ids to `{"pos", "neg"}`, next to a `"scenario"`
(deontology) or a `"question"` (truthfulness).
"""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pandas as pd

BUILT_IN = Path(str(files("xlv.corpus"))) / "data"


class CorpusError(ValueError):
    """A corpus that cannot be read; the message names the file, what is wrong and what was expected."""


def read_table(path: Path, needed: Sequence[str] = ("id", "positive", "negative")) -> pd.DataFrame:
    """One corpus file as a table of strings; raises CorpusError for one that is missing, empty or malformed."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark before the first column
    except FileNotFoundError:
        raise CorpusError(f"no file {path}: expected one tab-separated file per language") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from None
    rows = [(number, line.split("\t")) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(rows) < 2:
        raise CorpusError(f"{path} is empty: expected a header line and at least one row")
    header = rows.pop(0)[1]
    if absent := [column for column in needed if column not in header]:
        raise CorpusError(f"{path} lacks the column {absent[0]!r}: its header is {header}, expected {list(needed)}")
    if again := [column for column in header if header.count(column) > 1]:
        raise CorpusError(f"{path} has two columns {again[0]!r}: keep one of them")
    if odd := [f"line {number}: {len(row)} fields" for number, row in rows if len(row) != len(header)]:
        raise CorpusError(f"{path}, {odd[0]}, expected {len(header)} separated by tabs, as in its header")
    table = pd.DataFrame([row for _, row in rows], columns=header, dtype=object)
    if twice := list(table["id"][table["id"].duplicated()]):
        raise CorpusError(f"{path}: the id {twice[0]!r} stands twice; ids must be unique in a file")
    if blank := list(table["id"][(table[list(needed)].map(str.strip) == "").any(axis=1)]):
        raise CorpusError(f"{path}: an empty field in row {blank[0]!r}; every text must be given")
    return table


def mvalue_files(folder: Path) -> dict[tuple[str, str], Path]:
    """Files of a folder in the layout of MVALUE, by concept and language."""
    named = [(path.parent.name, path.stem, path) for path in folder.glob("*/*.json")]
    return {(c, stem.removeprefix(f"{c}_")): path for c, stem, path in named if stem.startswith(f"{c}_")}


def _text(entry: dict, side: str) -> str:
    if "scenario" in entry:
        return f"{entry['scenario']} {entry[side]}"
    return f"Question: {entry['question']} Answer: {entry[side]}" if "question" in entry else entry[side]


def read_mvalue(path: Path) -> pd.DataFrame:
    """A file's pairs as a table `id origin positive negative`, in the order of the authors' code.

    Groups there are topics, not situations, so each pair is its own group here. Pairs whose two sides are equal are
    dropped, as in the authors' code. Raises CorpusError for a file that is malformed or has another shape.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = [(f"{group}/{key}", entry) for group, pairs in content.items() for key, entry in pairs.items()]
        rows = [(key, "mvalue", _text(entry, "pos"), _text(entry, "neg")) for key, entry in entries]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        fault = f'({type(error).__name__}: {error}): expected {{group: {{id: {{"pos": …, "neg": …}}}}}}'
        raise CorpusError(f"{path} is not in MVALUE's form {fault}") from None
    table = pd.DataFrame(rows, columns=["id", "origin", "positive", "negative"], dtype=object)
    return table[table["positive"] != table["negative"]].reset_index(drop=True)
