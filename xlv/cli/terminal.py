"""How the command line speaks: results on standard output, progress and one-line errors on standard error."""

import sys
import time

from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

out, err = Console(), Console(stderr=True)


def say(text: str) -> None:
    """Print a line as it is, however long: a path can be copied whole."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def table(*headings: str) -> Table:
    """An empty table with columns."""
    made = Table()
    for heading in headings:
        made.add_column(heading)
    return made


def show(rows: Table, least: int = 0) -> None:
    """Print a table as wide as the terminal, but at least so many columns; off a terminal as wide as its rows need."""
    Console(width=max(out.width, least) if out.is_terminal else 260).print(rows)


class OneLineErrors(TyperGroup):
    """What a user did wrong ends in one line with exit status 2; an interrupt says that nothing is lost."""

    def invoke(self, ctx):
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            message, status = "\ninterrupted: what was computed is kept, and the same command goes on from there", 130
        except BrokenPipeError:  # the reader of a pipe has had enough: typer ends quietly
            raise
        except (ValueError, OSError) as error:
            message, status = f"error: {error}", 2
        err.print(message, style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(status)


class Ticker:
    """Progress on standard error: what, how far, how long still. A live line on a terminal, sparse lines elsewhere."""

    def __init__(self) -> None:
        self.what, self.begun, self.said = "", 0.0, 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what != self.what:
            self.what, self.begun, self.said = what, now, 0.0
        last = done >= total
        if not last and not err.is_terminal and now - self.said < 10:
            return
        self.said = now
        elapsed = now - self.begun
        left = f", about {elapsed / done * (total - done):.0f} s left" if done and not last else ""
        text = f"{what}: {done} of {total}{f' in {elapsed:.0f} s' if last else left}"
        if err.is_terminal:
            text = text.ljust(err.width - 1)  # over what is left of a longer line
        err.print(text, end="\r" if err.is_terminal and not last else "\n", highlight=False, markup=False)
