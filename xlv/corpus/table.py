"""One corpus file as a table of strings."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd


class CorpusError(ValueError):
    """A corpus that cannot be read; the message names the file, what is wrong and what was expected."""


def read_table(path: Path, needed: Sequence[str] = ("id", "positive", "negative")) -> pd.DataFrame:
    """One corpus file as a table of strings; raises CorpusError for one that is missing, empty or malformed."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark before the first column
    except FileNotFoundError:
        raise CorpusError(f"no file {path}: expected one tab-separated file a language") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from None
    rows = [(number, line.split("\t")) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(rows) < 2:
        raise CorpusError(f"{path} is empty: expected a header line and at least one row")
    header = rows.pop(0)[1]
    absent = [column for column in needed if column not in header]
    if absent:
        raise CorpusError(f"{path} lacks the column {absent[0]!r}: its header is {header}, expected {list(needed)}")
    for number, row in rows:
        if len(row) != len(header):
            raise CorpusError(
                f"{path}, line {number}: {len(row)} fields, expected {len(header)} separated by tabs, as in its header"
            )
    table = pd.DataFrame([row for _, row in rows], columns=header, dtype=object)
    twice = table.loc[table["id"].duplicated(), "id"]
    if len(twice):
        raise CorpusError(f"{path}: the id {twice.iloc[0]!r} stands twice; ids must be unique in a file")
    blank = table.loc[(table[list(needed)].apply(lambda c: c.str.strip()) == "").any(axis=1), "id"]
    if len(blank):
        raise CorpusError(f"{path}: an empty field in row {blank.iloc[0]!r}; every text must be given")
    return table
