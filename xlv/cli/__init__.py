"""The command line: models, run, steer, book, batch, audit, import-results, cache, data."""

import os
import sys
from typing import Annotated

import typer

from xlv import __version__
from xlv.cli import data, editions, models, terminal
from xlv.cli.terminal import OneLineErrors, say

app = typer.Typer(
    cls=OneLineErrors, no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False
)
for command in (models.models, models.run, models.steer, editions.book, editions.batch, models.audit):
    app.command()(command)
app.command("import-results")(editions.import_results)
app.add_typer(data.cache, name="cache")
app.add_typer(data.data, name="data")


@app.callback(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
def _common(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Libraries' messages and tracebacks.")] = False,
) -> None:
    terminal.verbosity = verbose - quiet
    if version:
        say(f"xlv {__version__}")
        raise typer.Exit
    if verbose:
        os.environ["TRANSFORMERS_VERBOSITY"] = "info"
    slow = context.invoked_subcommand in {"run", "steer", "book", "batch", "audit"}
    if slow and terminal.err.is_terminal and not quiet:
        terminal.err.print(f"{context.invoked_subcommand}: starting", highlight=False)  # libraries take seconds


def main() -> None:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    for stream in (sys.stdout, sys.stderr):  # whose alphabet may lack a sign
        stream.reconfigure(errors="replace")
    app(sorted(sys.argv[1:], key=lambda word: word not in ("-q", "--quiet", "-v", "--verbose")))  # anywhere
