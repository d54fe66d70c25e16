"""The process of an attempt: executes the notebooks of a run, and ends with the worker that started it."""

import json
import os
import sys
import threading
from pathlib import Path

from papermill.exceptions import PapermillExecutionError

from xlv.batch.tree import MARK, end_all
from xlv.edition.book import BookError, execute_notebooks


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the worker holds open as long as it lives, and end everything."""
    while os.read(0, 1024):
        pass
    end_all(Path(os.environ[MARK]))
    os._exit(1)


def main(order: Path) -> None:
    """Execute a job's notebooks in its folder; a notebook's traceback goes to the log, its last line the last."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = json.loads(order.read_text(encoding="utf-8"))
    try:
        execute_notebooks(
            job["notebooks"],
            job["parameters"],
            order.parent / "notebooks",
            root=Path(job["root"]),
            cwd=order.parent,
            progress=_say,
        )
    except BookError as error:
        if not isinstance(error.__cause__, PapermillExecutionError):
            raise
        print(error.__cause__, error, f"{error.__cause__.ename}: {error.__cause__.evalue}", sep="\n")
        sys.exit(1)


def _say(what: str, done: int, total: int) -> None:
    print(f"{what}: {done} of {total}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
