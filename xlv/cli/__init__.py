"""The command line: models, run, steer, book, batch, audit, import-results, cache, data."""

import os
from typing import Annotated

import typer

from xlv import __version__
from xlv.cli import data, editions, models
from xlv.cli.terminal import OneLineErrors, say

app = typer.Typer(
    cls=OneLineErrors, no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False
)
for command in (models.models, models.run, models.steer, editions.book, editions.batch, models.audit):
    app.command()(command)
app.command("import-results")(editions.import_results)
app.add_typer(data.cache, name="cache")
app.add_typer(data.data, name="data")


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        say(f"xlv {__version__}")
        raise typer.Exit


def main() -> None:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    app()
