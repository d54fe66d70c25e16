"""A journal of what is measured, a line at a time, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")


class Journal:
    """Values by key, appended to a JSON-lines file as soon as they are known; without a path, in memory only.

    Holds scores, classes and counts, never a completion. A last line cut short by a kill is dropped.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path, self.known = path, {}
        if path is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    key, value = json.loads(line)
                except ValueError:
                    continue
                self.known[key] = value

    def recall(self, key: str, measure: Callable[[], Value]) -> Value:
        """The value of a key: from the journal if it is there, else measured now and written down."""
        if key not in self.known:
            value = measure()
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with open(self.path, "a", encoding="utf-8") as stream:
                    stream.write(json.dumps([key, value], ensure_ascii=False) + "\n")
            self.known[key] = value
        return self.known[key]

    def close(self) -> None:
        """Delete the file: the results it led to are saved."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
