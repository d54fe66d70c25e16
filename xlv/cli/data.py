"""Commands about what lies on disk: the cache, and corpora."""

import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column

from xlv.cache import cache_root, leftovers, size_of
from xlv.cli.terminal import Ticker, say, show

cache = typer.Typer(no_args_is_help=True, help="What lies in the cache, and how to drop it.")
PARTS = ("activations", "weights", "results", "journals", "completions")
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def _entries() -> dict[Path, str]:
    """What lies in the cache, with the name of its model: as the files say, or else that of the entry itself."""
    from safetensors import safe_open

    from xlv.models.presets import PRESETS

    names = {f"{preset.wheels.sha256[:16]}-v1": name for name, preset in PRESETS.items() if preset.wheels}
    names |= {path.parent.name: path.read_text("utf-8").strip() for path in cache_root().glob("weights/*/name.txt")}
    for folder in cache_root().glob("activations/*"):
        with suppress(Exception), safe_open(next(folder.glob("*.safetensors")), framework="np") as file:
            names[folder.name] = file.metadata()["model"]
    found = {path: re.sub(r"(-kept)?\.(jsonl|gguf)$", "", path.name) for path in cache_root().glob("*/[!.]*")}
    return {path: names.get(stamp, stamp) for path, stamp in found.items()}


def _delete(paths: list[Path], yes: bool) -> None:
    size = f"{sum(map(size_of, paths)) / 1e6:.0f} MB"
    if paths and not yes:
        parts = ", ".join(sorted({path.relative_to(cache_root()).parts[0] for path in paths}))
        typer.confirm(f"Delete {len(paths)} entries of {parts} ({size}) in {cache_root()}?", abort=True)
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    say(f"{size} deleted")


@cache.command("list")
def list_entries() -> None:
    """Show what the cache holds of each model, what interrupted runs left, and how large it is."""
    say(f"Cache: {cache_root()}")
    found = sorted((name, path) for path, name in _entries().items())
    found += [("(left by an interrupted run)", path) for path in leftovers()]
    rows = [(name, str(path.relative_to(cache_root())), f"{size_of(path) / 1e6:.1f} MB") for name, path in found]
    rows.append(("total", "", f"{size_of(cache_root()) / 1e6:.1f} MB"))
    show(["model", "entry", Column("size", justify="right", no_wrap=True)], rows)
    say("Models of the Hub lie in the cache of Hugging Face: `hf cache list`")


@cache.command()
def remove(model: Annotated[str, typer.Argument(help="As `xlv cache list` names it.")], yes: Yes = False) -> None:
    """Delete what the cache holds of one model, but its results."""
    names = model, Path(model).name.removesuffix(".gguf")
    _delete([path for path, name in _entries().items() if name in names and path.parent.name != "results"], yes)


@cache.command()
def clear(
    what: Annotated[str, typer.Argument(help=f"{', '.join(PARTS)}, leftovers or all; default: all but results.")] = "",
    yes: Yes = False,
) -> None:
    """Delete what the cache holds, but results only if asked, and leftovers only where no process is at work."""
    if what not in ("", "all", "leftovers", *PARTS):
        raise ValueError(f"unknown part of the cache {what!r}: choose {', '.join(PARTS)}, leftovers or all")
    parts = {"": {*PARTS} - {"results"}, "all": PARTS, "leftovers": ()}.get(what, (what,))
    left = [] if what in PARTS else leftovers(idle=True)
    _delete([*left, *(path for path in _entries() if path.parent.name in parts)], yes)


data = typer.Typer(no_args_is_help=True, help="Corpora: check and measure one, or make one.")


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
    show([name.replace("_", " ").replace("characters", "chars") for name in forms], zip(*columns, strict=True))
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
    languages: Annotated[str, typer.Option(help="Codes, separated by commas, of polyrefuse; default: all.")] = "",
) -> None:
    """Turn published files of a well-known source into a corpus folder, and say what was left out, and why.

    advbench and polyrefuse also give the control set of question 4. For a language beyond the sixteen, write its
    openings of refusals into control/openings.yaml: see the page on your own concept or language.
    """
    from xlv.corpus.importers.recipes import convert as converted

    for line in converted(source, path, out_dir, limit=pairs or None, languages=languages.replace(",", " ").split()):
        say(line)
    say(f"The corpus: {out_dir}; check it with `xlv data check {out_dir}`")
