"""What commands share: options, results on standard output, progress and one-line errors on standard error."""

import sys
import time
import traceback
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Column, Table
from typer.core import TyperGroup

from xlv.profiles import PROFILES

Model = Annotated[str, typer.Argument(help="Embedded name, preset, Hub id, folder or .gguf file.")]
Models = Annotated[str, typer.Option(help="Models, separated by commas.")]
Data = Annotated[str, typer.Option(help="Corpus folder; default: the built-in corpus.")]
Concepts = Annotated[str, typer.Option(help="Concepts, separated by commas; default: all of the profile.")]
Languages = Annotated[str, typer.Option(help="Language codes, separated by commas; default: all of the corpus.")]
Cohort = Annotated[str, typer.Option(help="Pairs of the first or the second cohort, or all; default: the profile's.")]
Pairs = Annotated[int, typer.Option(help="Pairs per concept; 0: as many as the profile has.", min=0)]
Seed = Annotated[int, typer.Option(help="Draws folds, resamples and random vectors.", min=0)]
Dtype = Annotated[str, typer.Option(help="fp32, bf16 or fp16; default: the profile's.")]
Template = Annotated[str, typer.Option(help="raw, chat, llama2 or one with {input}; default: the paper's, else raw.")]
Judge = Annotated[str, typer.Option(help="Who calls refusals: rules, chat:MODEL or classifier:MODEL:LABEL.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are damaged or of another model.")]
ProfileName = Annotated[str, typer.Option(help=f"Size of the run: {', '.join(PROFILES)}.")]
Revision = Annotated[str, typer.Option(help="Revision of a Hub model: a branch, tag or commit (or org/name@revision).")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 … or auto (spread over all); default: cuda if here.")]
Trust = Annotated[bool, typer.Option("--trust-remote-code", help="Run code that the model brings; read it first.")]
KeepCompletions = Annotated[bool, typer.Option("--keep-completions", help="With --control: into a private file.")]


def at(model: str, revision: str) -> str:
    """A model's name with its revision, if one is given."""
    return f"{model}@{revision}" if revision else model


verbosity = 0  # of this command: −1 says no progress, 1 where errors come from and what libraries say
out, err = Console(), Console(stderr=True)


def say(text: str) -> None:
    """Print a line as it is, however long: a path can be copied whole."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def show(headings: Iterable[str | Column], rows: Iterable[Iterable[str]], **look: object) -> None:
    """Print a table as wide as the terminal, without lines if that is narrow; off a terminal as wide as its rows."""
    table, console = Table(*headings, **look), Console(width=out.width if out.is_terminal else 260)
    for row in rows:
        table.add_row(*map(escape, row))
    if Measurement.get(console, console.options, table).maximum >= console.width:
        table.box, table.pad_edge, table.padding = None, False, (0, 1, 0, 0)
        for column in table.columns:
            column.overflow = "fold"  # no name is cut
    console.print(table)


def note(lines: Iterable[str]) -> None:
    """Say what a user should know before anything is computed, on standard error."""
    for line in lines:
        err.print(f"note: {line}", highlight=False, markup=False, soft_wrap=True)


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
            if verbosity > 0:
                traceback.print_exc()
        err.print(message, style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(status)


class Ticker:
    """Progress: what, how far, how long still, within the steps that it is part of. A live line on a terminal, sparse
    lines elsewhere."""

    def __init__(self) -> None:
        self.going, self.said = {}, 0.0  # since when and how far each step is that goes on, the outermost first

    def __call__(self, what: str, done: int, total: int) -> None:
        now, live, last, new = time.monotonic(), err.is_terminal, done >= total, what not in self.going
        begun, far = self.going.get(what, (now, ""))[0], f"{what}: {done} of {total}"
        self.going[what] = begun, far
        while next(reversed(self.going)) != what:  # what was within it has ended
            self.going.popitem()
        left = f", about {(now - begun) / done * (total - done):.0f} s left" if done and not last else ""
        text = " · ".join(far for _, far in self.going.values()) + (f" in {now - begun:.0f} s" if last else left)
        if last:
            self.going.popitem()
        if verbosity >= 0 and (live or last or new or now - self.said >= 10):
            self.said, width = now, err.width - 1  # over what is left of a longer line
            text = text[:width].ljust(width) if live else text
            err.print(text, end="\r" if live and not last else "\n", highlight=False, markup=False, soft_wrap=True)
