"""The authors' MVALUE data in their own layout: `{concept}/{concept}_{language}.json`, read as it is.

A file maps groups to ids to `{"pos", "neg"}`, next to a `"scenario"` (deontology) or a `"question"` (truthfulness).
"""

import json
from pathlib import Path

import pandas as pd

from xlv.corpus.table import CorpusError


def files(folder: Path) -> dict[tuple[str, str], Path]:
    """Files of a folder in the authors' layout, by concept and language."""
    named = [(path.parent.name, path.stem, path) for path in folder.glob("*/*.json")]
    return {(c, stem.removeprefix(f"{c}_")): path for c, stem, path in named if stem.startswith(f"{c}_")}


def _text(entry: dict, side: str) -> str:
    if "scenario" in entry:
        return f"{entry['scenario']} {entry[side]}"
    if "question" in entry:
        return f"Question: {entry['question']} Answer: {entry[side]}"
    return entry[side]


def read(path: Path) -> pd.DataFrame:
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
