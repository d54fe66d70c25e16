"""What commands share: options, results on standard output, progress and one-line errors on standard error."""

import sys
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from typer.core import TyperGroup

from xlv.profiles import PROFILES

Model = Annotated[str, typer.Argument(help="Embedded name, preset, Hub id, folder or .gguf file.")]
Models = Annotated[str, typer.Option(help="Models, separated by commas.")]
Data = Annotated[str, typer.Option(help="Corpus folder; default: the built-in corpus.")]
Concepts = Annotated[str, typer.Option(help="Concepts, separated by commas; default: all of the profile.")]
Languages = Annotated[str, typer.Option(help="Language codes, separated by commas; default: all of the corpus.")]
Pairs = Annotated[int, typer.Option(help="Pairs per concept; 0: as many as the profile has.", min=0)]
Seed = Annotated[int, typer.Option(help="Draws folds, resamples and random vectors.", min=0)]
Dtype = Annotated[str, typer.Option(help="fp32, bf16 or fp16; default: the profile's.")]
Template = Annotated[str, typer.Option(help="raw, chat, llama2 or one with {input}; default: the paper's, else raw.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are damaged or of another model.")]
ProfileName = Annotated[str, typer.Option(help=f"Size of the run: {', '.join(PROFILES)}.")]
Revision = Annotated[str, typer.Option(help="Revision of a Hub model: a branch, tag or commit (or org/name@revision).")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 … or auto (spread over all); default: cuda if here.")]
Trust = Annotated[bool, typer.Option("--trust-remote-code", help="Run code that the model brings; read it first.")]
KeepCompletions = Annotated[bool, typer.Option("--keep-completions", help="With --control: into a private file.")]


def at(model: str, revision: str) -> str:
    """A model's name with its revision, if one is given."""
    return f"{model}@{revision}" if revision else model


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
    """Progress: what, how far, how long still. A live line on a terminal, sparse lines elsewhere."""

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
