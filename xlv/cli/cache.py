"""Commands about the cache."""

import shutil
from typing import Annotated

import typer
from rich.table import Column

from xlv.cache import cache_root, size_of
from xlv.cli.terminal import say, show

app = typer.Typer(no_args_is_help=True, help="What lies in the cache, and how to drop it.")
PARTS = ("activations", "weights", "results", "journals", "completions")


@app.command("list")
def list_entries() -> None:
    """Show what the cache holds, and how large it is."""
    root = cache_root()
    say(f"Cache: {root}")
    rows = [(str(path.relative_to(root)), f"{size_of(path) / 1e6:.1f} MB") for path in sorted(root.glob("*/[!.]*"))]
    show(["entry", Column("size", justify="right")], rows)


@app.command()
def clear(
    what: Annotated[str, typer.Argument(help=f"{', '.join(PARTS)} or all.")] = "all",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete what the cache holds, all of it or a part."""
    if what not in ("all", *PARTS):
        raise ValueError(f"unknown part of the cache {what!r}: choose {', '.join(PARTS)} or all")
    folders = [f for f in cache_root().glob("*") if f.is_dir() and what in ("all", f.name)]
    size = sum(map(size_of, folders)) / 1e6
    if folders and not yes:
        typer.confirm(f"Delete {', '.join(f.name for f in folders)} ({size:.0f} MB) in {cache_root()}?", abort=True)
    for folder in folders:
        shutil.rmtree(folder)
    say(f"{size:.0f} MB deleted")
