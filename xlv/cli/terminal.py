"""How the command line speaks: results on standard output, progress and one-line errors on standard error."""

import sys
import time
from collections.abc import Iterable

from rich.console import Console
from rich.table import Column, Table
from typer.core import TyperGroup

out, err = Console(), Console(stderr=True)


def say(text: str) -> None:
    """Print a line as it is, however long: a path can be copied whole."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def show(headings: Iterable[str | Column], rows: Iterable[Iterable[str]], least: int = 0, **look: object) -> None:
    """Print a table as wide as the terminal, but at least so many columns; off a terminal as wide as its rows need."""
    table = Table(*headings, **look)
    for row in rows:
        table.add_row(*row)
    Console(width=max(out.width, least) if out.is_terminal else 260).print(table)


class OneLineErrors(TyperGroup):
    """What a user did wrong ends in one line with exit status 2; an interrupt says that nothing is lost."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of a pipe has had enough: typer ends quietly
            raise
        except KeyboardInterrupt:
            message, status = "\ninterrupted: what was computed is kept, and the same command goes on from there", 130
        except (ValueError, OSError) as error:
            message, status = f"error: {error}", 2
        err.print(message, style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(status)


class Ticker:
    """Progress on standard error: what, how far, how long still. A live line on a terminal, sparse lines elsewhere."""

    what, begun, said = "", 0.0, 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now, live, last = time.monotonic(), err.is_terminal, done >= total
        if what != self.what:
            self.what, self.begun, self.said = what, now, 0.0
        if live or last or now - self.said >= 10:
            self.said, elapsed = now, now - self.begun
            left = f", about {elapsed / done * (total - done):.0f} s left" if done and not last else ""
            text = f"{what}: {done} of {total}{f' in {elapsed:.0f} s' if last else left}"
            width = err.width - 1 if live else 0  # over what is left of a longer line
            err.print(text.ljust(width), end="\r" if live and not last else "\n", highlight=False, markup=False)
