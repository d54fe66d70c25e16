"""Completions in full, kept for who asked for them: one private file a model in the user's cache, never elsewhere."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from xlv.cache import cache_root


def completions_path(fingerprint: str) -> Path:
    """Where kept completions of a loaded model lie: `completions/{fingerprint}.jsonl` in the cache."""
    return cache_root() / "completions" / f"{fingerprint}.jsonl"


def write_private(path: Path, text: str, *, append: bool = False) -> None:
    """Write a file that only its owner can read (mode 0600)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
    with os.fdopen(os.open(path, mode, 0o600), "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(text)


def keeper(path: Path, model: str) -> Callable[[dict[str, str]], None]:
    """A function that appends one completion, with what it belongs to, to a private file."""

    def keep(record: dict[str, str]) -> None:
        write_private(path, json.dumps({"model": model, **record}, ensure_ascii=False) + "\n", append=True)

    return keep


def kept_completions(path: Path) -> Iterator[dict[str, str]]:
    """The records of a file written by `keeper`, a line cut short by a kill left out."""
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue
