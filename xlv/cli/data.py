"""Commands about what lies on disk: the cache, and corpora."""

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column

from xlv.cache import cache_root, size_of
from xlv.cli.terminal import Ticker, say, show

cache = typer.Typer(no_args_is_help=True, help="What lies in the cache, and how to drop it.")
PARTS = ("activations", "weights", "results", "journals", "completions")


@cache.command("list")
def list_entries() -> None:
    """Show what the cache holds, and how large it is."""
    root = cache_root()
    say(f"Cache: {root}")
    rows = [(str(path.relative_to(root)), f"{size_of(path) / 1e6:.1f} MB") for path in sorted(root.glob("*/[!.]*"))]
    show(["entry", Column("size", justify="right")], rows)


@cache.command()
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


data = typer.Typer(no_args_is_help=True, help="Corpora: check and measure one.")


@data.command()
def check(path: Annotated[Path | None, typer.Argument(help="Corpus folder; default: the built-in.")] = None) -> None:
    """Check a corpus and print counts, length ratios and what surface classifiers reach; exit 1 on errors."""
    from xlv.corpus.check import check_corpus
    from xlv.corpus.pairs import folder_fingerprint

    report = check_corpus(path, progress=Ticker())
    forms = {"concept": "{}", "language": "{}", "pairs": "{:.0f}", "groups": "{:.0f}"}  # nan: not measured there
    forms |= dict.fromkeys(("length_ratio", "same_ending", "identified", "words", "characters"), "{:.2f}")
    columns = [report.figures[name].map(form.format) for name, form in forms.items()]
    say("Pairs, groups, length ratio, and paired accuracy of surface classifiers")
    show([name.replace("_", " ") for name in forms], zip(*columns, strict=True), least=110)
    say(f"Fingerprint: {folder_fingerprint(path)}")
    for title, lines in (("Notes", report.notes), ("Errors", report.errors)):
        say("\n  ".join([f"{title}: {len(lines)}", *lines]))
    raise typer.Exit(1 if report.errors else 0)


@data.command()
def convert(
    source: Annotated[str, typer.Argument(help="ethics, truthfulqa, toxigen, advbench or polyrefuse.")],
    path: Annotated[Path, typer.Argument(help="The published files: a folder, or a .csv file.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the corpus; a new one.")],
    pairs: Annotated[int, typer.Option(help="Pairs per concept at most; 0: all that can be made.", min=0)] = 0,
) -> None:
    """Turn published files of a well-known source into a corpus folder."""
    from xlv.corpus.importers.recipes import convert as converted

    for (concept, languages), made in converted(source, path, out_dir, limit=pairs or None).items():
        say(f"{concept}: {made} pairs in {languages}")
    say(f"The corpus: {out_dir}; check it with `xlv data check {out_dir}`")
