"""The authors' MVALUE data in their own layout: `{concept}/{concept}_{language}.json`, read as it is.

A file maps groups to ids to `{"pos", "neg"}`, beside a `"scenario"` (deontology) or a `"question"` (truthfulness).
"""

import json
from pathlib import Path

import pandas as pd

from xlv.corpus.table import CorpusError


def concepts(folder: Path) -> set[str]:
    """Concepts of a folder in the authors' layout."""
    return {path.parent.name for path in folder.glob("*/*.json") if path.stem.startswith(f"{path.parent.name}_")}


def languages(folder: Path) -> set[str]:
    """Languages of a concept's folder in the authors' layout."""
    prefix = f"{folder.name}_"
    return {path.stem.removeprefix(prefix) for path in folder.glob("*.json") if path.stem.startswith(prefix)}


def _text(entry: dict, side: str) -> str:
    if "scenario" in entry:
        return f"{entry['scenario']} {entry[side]}"
    if "question" in entry:
        return f"Question: {entry['question']} Answer: {entry[side]}"
    return entry[side]


def read(path: Path) -> pd.DataFrame:
    """A file's pairs as a table `id group origin context positive negative`, in the order of the authors' code.

    Groups there are topics, not situations, so each pair is its own group here. Pairs whose two sides are equal are
    dropped, as in the authors' code. Raises CorpusError for a file that is missing, malformed or has another shape.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = [(f"{group}/{key}", entry) for group, pairs in content.items() for key, entry in pairs.items()]
        rows = [(key, key, "mvalue", "", _text(entry, "pos"), _text(entry, "neg")) for key, entry in entries]
    except FileNotFoundError:
        raise CorpusError(f"no file {path}: expected one file a language") from None
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise CorpusError(
            f"{path} is not in MVALUE's form ({type(error).__name__}: {error}): expected "
            '{group: {id: {"pos": …, "neg": …}}}'
        ) from None
    table = pd.DataFrame(rows, columns=["id", "group", "origin", "context", "positive", "negative"], dtype=object)
    return table[table["positive"] != table["negative"]].reset_index(drop=True)
