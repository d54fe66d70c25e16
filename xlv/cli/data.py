"""Commands about corpora."""

from pathlib import Path
from typing import Annotated

import typer

from xlv.cli.terminal import Ticker, say, show

app = typer.Typer(no_args_is_help=True, help="Corpora: check and measure one.")


@app.command()
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


@app.command()
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
