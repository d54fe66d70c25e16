"""One corpus file as a table of strings: in our layout, or in that of the authors' MVALUE data.

MVALUE has `{concept}/{concept}_{language}.json`: groups map to ids to `{"pos", "neg"}`, next to a `"scenario"`
(deontology) or a `"question"` (truthfulness). In both, what cannot be seen at the ends of a field is left out.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from reprlib import repr as brief

import pandas as pd

from xlv.settings import COHORTS

BUILT_IN = Path(str(files("xlv.corpus"))) / "data"
# Spaces, control characters, marks of direction and fillers: a model would read one as a text's last token.
_UNSEEN = (*range(1, 0x21), *range(0x7F, 0xA1), 0xAD, 0x61C, 0x115F, 0x1160, 0x1680, 0x180E, *range(0x2000, 0x200C))
_UNSEEN += (0x200E, 0x200F, *range(0x2028, 0x2030), *range(0x205F, 0x2070), 0x2800, 0x3000, 0x3164, 0xFEFF, 0xFFA0)
_ENDS = "".join(map(chr, _UNSEEN))
_HIDDEN = _ENDS + "\u034f\u200c\u200d\ufe0e\ufe0f"  # joiners and selectors belong to what stands before them
_FORMS = {"scenario": "{} {}", "question": "Question: {} Answer: {}"}


class CorpusError(ValueError):
    """A corpus that cannot be read; the message names the file, what is wrong and what was expected."""


def _content(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")  # spreadsheets put a mark before the first column
    except OSError as error:
        raise CorpusError(f"no file {path} that can be read ({error.strerror}): expected one per language") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from None


def read_table(path: Path, needed: Sequence[str] = ("id", "positive", "negative")) -> pd.DataFrame:
    """One corpus file as a table of strings; raises CorpusError for one that is missing, empty or malformed.

    Its `attrs["notes"]` say what was left out at the ends of fields. A .json file is read by `read_mvalue`.
    """
    if path.suffix == ".json":
        return read_mvalue(path)
    lines = enumerate(_content(path).split("\n"), start=1)  # no other character ends a row
    rows = [(number, line.removesuffix("\r").split("\t")) for number, line in lines if line.strip()]
    if len(rows) < 2:
        raise CorpusError(f"{path} is empty: expected a header line and at least one row")
    header = [column.strip(_ENDS).lower() for column in rows.pop(0)[1]]
    if absent := [column for column in needed if column not in header]:
        raise CorpusError(f"{path} lacks the column {absent[0]!r} of {list(needed)}: its header is {brief(header)}")
    if len(set(header)) < len(header):
        raise CorpusError(f"{path} has two columns {brief(Counter(header).most_common(1)[0][0])}: keep one of them")
    if odd := [f"line {number}: {len(row)} fields" for number, row in rows if len(row) != len(header)]:
        raise CorpusError(f"{path}, {odd[0]}, expected {len(header)} separated by tabs, as in its header")
    if again := [number for number, row in rows if [name.strip(_ENDS).lower() for name in row] == header]:
        raise CorpusError(f"{path}, line {again[0]} is the header again: delete it, and see that no row stands twice")
    return _sound(path, pd.DataFrame([row for _, row in rows], columns=header, dtype=object), needed)


def _sound(path: Path, raw: pd.DataFrame, needed: Sequence[str]) -> pd.DataFrame:
    """A table without what cannot be seen at the ends of its fields, if ids are unique and all can be read."""
    table = raw.map(lambda field: field.strip(_ENDS))
    if twice := list(table["id"][table["id"].duplicated()]):
        raise CorpusError(f"{path}: the id {brief(twice[0])} stands twice; ids must be unique in a file")
    given, cohort = [*needed, *({"group"} & {*table})], [*({"cohort"} & {*table})]
    for columns, odd, fault in (
        (given, lambda text: not text.strip(_HIDDEN), "an empty field: every text and group must be given"),
        (table, re.compile(r"[\0\ud800-\udfff]|(?s:.{100001})").search, "a NUL, half a character or 100,000 of them"),
        (cohort, lambda name: name not in COHORTS, f"no cohort: expected {' or '.join(COHORTS)}"),
    ):
        if found := list(table["id"][table[[*columns]].map(odd).any(axis=1)]):
            raise CorpusError(f"{path}, row {brief(found[0])} has {fault}")
    if len(changed := table["id"][(table != raw).any(axis=1)]):
        rows = f"in {len(changed)} rows, first in {brief(changed.iloc[0])}"
        table.attrs["notes"] = [f"spaces or invisible characters at the ends of fields are left out {rows}"]
    return table


def _text(entry: dict, side: str) -> str:
    kind = next((kind for kind in _FORMS if kind in entry), "")
    parts = [entry[name] for name in (kind, side) if name]
    if odd := [part for part in parts if not isinstance(part, str) or not part.strip(_HIDDEN)]:
        raise ValueError(f"expected a text, got {brief(odd[0])}")
    return _FORMS[kind].format(*(part.strip(_ENDS) for part in parts)) if kind else parts[0]


def read_mvalue(path: Path) -> pd.DataFrame:
    """A file's pairs as a table `id origin positive negative`, in the order of the authors' code.

    Groups there are topics, not situations, so each pair is its own group here. `attrs["equal"]` names the pairs whose
    two sides are equal, which the authors' code drops. Raises CorpusError for a file that is malformed.
    """
    rows, where, content = [], "", _content(path)
    try:
        for group, pairs in json.loads(content, object_pairs_hook=list):  # a key may stand twice
            for key, entry in pairs:
                where = f", pair {brief(f'{group}/{key}')},"
                rows.append((f"{group}/{key}", "mvalue", _text(dict(entry), "pos"), _text(dict(entry), "neg")))
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        fault = f'({type(error).__name__}: {error}): expected {{group: {{id: {{"pos": …, "neg": …}}}}}}'
        raise CorpusError(f"{path}{where} is not in MVALUE's form {fault}") from None
    raw = pd.DataFrame(rows, columns=["id", "origin", "positive", "negative"], dtype=object)
    table = _sound(path, raw, ("id", "positive", "negative"))
    if equal := list(table["id"][table["positive"] == table["negative"]]):
        said = f"pairs with equal sides are left out in every language: {', '.join(equal)}"
        table.attrs |= {"equal": equal, "notes": [*table.attrs.get("notes", ()), said]}
    return table
