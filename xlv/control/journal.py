"""A journal of what is measured, so that an interrupted run goes on where it stopped and a larger one re-uses it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

Value = object


class Journal:
    """Values by cell and item, appended to a JSON-lines file as soon as they are known; without a path, in memory.

    A cell is named by what was done (a fingerprint of steering, judge and length), an item by the hash of a text:
    so a run with more prompts, languages or conditions measures only what is new. Holds scores, classes and opening
    words of refusals, never a completion. A last line cut short by a kill is dropped.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path, self.known = path, {}
        if path is None or not path.is_file():
            return
        text = path.read_text(encoding="utf-8")
        for line in text.split("\n"):
            try:
                cell, values = json.loads(line)
            except ValueError:
                continue
            self.known.setdefault(cell, {}).update(values)
        if text and not text.endswith("\n"):
            self._append("\n")

    def recall(
        self,
        cell: str,
        items: Sequence[str],
        measure: Callable[[list[int]], Sequence[Value]],
        enough: Callable[[Value], bool] = lambda value: True,
    ) -> list[Value]:
        """The value of each item of a cell: from the journal, or measured now, all missing ones together.

        `measure` gets the indices of the missing items and returns their values in that order; `enough` says
        whether a known value holds all that is asked for.
        """
        known = self.known.setdefault(cell, {})
        missing = [i for i, item in enumerate(items) if item not in known or not enough(known[item])]
        if missing:
            values = {items[i]: value for i, value in zip(missing, measure(missing), strict=True)}
            self._append(json.dumps([cell, values], ensure_ascii=False) + "\n")
            known.update(values)
        return [known[item] for item in items]

    def _append(self, line: str) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(line)
