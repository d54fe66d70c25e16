"""One corpus file as a table of strings."""

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
    for number, row in rows:
        if len(row) != len(header):
            raise CorpusError(
                f"{path}, line {number}: {len(row)} fields, expected {len(header)} separated by tabs, as in its header"
            )
    table = pd.DataFrame([row for _, row in rows], columns=header, dtype=object)
    twice = table["id"].duplicated()
    if twice.any():
        raise CorpusError(f"{path}: the id {table['id'][twice].iloc[0]!r} stands twice; ids must be unique in a file")
    blank = (table[list(needed)].apply(lambda column: column.str.strip()) == "").any(axis=1)
    if blank.any():
        raise CorpusError(f"{path}: an empty field in row {table['id'][blank].iloc[0]!r}; every text must be given")
    return table
