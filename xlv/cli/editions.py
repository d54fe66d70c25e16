"""Commands that make books of results, and the one that takes in the authors' own."""

from pathlib import Path
from typing import Annotated

import typer

from xlv.cli.options import Concepts, Data, Languages, Models, Pairs, ProfileName, changed, names
from xlv.cli.terminal import Ticker, err, say, show


def book(
    models: Models = "",
    profile: ProfileName = "quick",
    results: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: in the edition's folder.")
    ] = None,
    data: Data = "",
    languages: Languages = "",
    concepts: Concepts = "",
    pairs: Pairs = 0,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the edition.")] = Path("build"),
) -> None:
    """Compute what is missing, execute the notebooks, build the book, and say where its index.html is."""
    from xlv.edition.book import build_edition
    from xlv.models.presets import BOOK_MODELS

    wanted = changed(profile, str(Path(data).resolve()) if data else "", concepts, languages, pairs)
    index = build_edition(names(models) or BOOK_MODELS, wanted, out_dir / wanted.name, results, progress=Ticker())
    say(f"The book: {index}")


def batch(
    spec: Annotated[Path, typer.Argument(help="The batch's spec, a YAML file; see the page on batch runs.")],
    workers: Annotated[int, typer.Option(help="Runs at a time, by a local Dask cluster; 0: one, without.", min=0)] = 0,
    scheduler: Annotated[str, typer.Option(help="Address of a Dask scheduler, as tcp://host:8786.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan with its estimated cost only.")] = False,
) -> None:
    """Run a matrix of models and parameters, here or on a cluster, and build one book that compares them."""
    from xlv.batch.board import plan_table
    from xlv.batch.conduct import conduct
    from xlv.batch.edition import build_batch_book
    from xlv.batch.plan import plan
    from xlv.batch.spec import read_spec
    from xlv.edition.book import BookError

    if workers and scheduler:
        raise ValueError("--workers starts a cluster here and --scheduler takes one that is there: give one of them")
    wanted = read_spec(spec)
    runs = plan(wanted)
    if dry_run:
        show(plan_table(runs, max(1, workers)))
        return
    failed = conduct(wanted, runs, err, workers=workers, scheduler=scheduler)
    say(f"{len(runs) - len(failed)} of {len(runs)} runs done: {wanted.out / 'runs'}")
    for name, error in failed.items():
        say(f"failed: {name}: {error}")
    if wanted.book and len(failed) < len(runs):
        try:
            say(f"The book: {build_batch_book(wanted, runs, failed, progress=Ticker())}")
        except BookError as error:
            failed["book"] = str(error)
            say(f"failed: the book: {error}")
    if failed:
        raise typer.Exit(1)


def import_results(
    res: Annotated[Path, typer.Argument(help="The authors' folder res, or one model's folder in it.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("results"),
) -> None:
    """Turn the authors' published results into ours; nothing in their files is executed."""
    from xlv.corpus.importers import published

    for name, model in published.import_results(res, out_dir).items():
        vectors = "accuracies and cosines" if model.cosine is not None else "accuracies; no vectors, so no cosines"
        say(f"{name}: {len(model.concepts)} concepts, {len(model.languages)} languages, {vectors}")
    say(f"Results: {out_dir}; name them among --models, with --results {out_dir}")
