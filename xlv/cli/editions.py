"""Commands that make books of results, and the one that takes in the authors' own."""

from pathlib import Path
from typing import Annotated

import typer

from xlv.cli import terminal
from xlv.cli.terminal import Ticker, say, show
from xlv.settings import Loading


def book(
    models: terminal.Models = "",
    profile: terminal.ProfileName = "quick",
    results: Annotated[Path | None, typer.Option(help="Folder for the results; default: in the edition's.")] = None,
    data: terminal.Data = "",
    languages: terminal.Languages = "",
    concepts: terminal.Concepts = "",
    cohort: terminal.Cohort = "",
    pairs: terminal.Pairs = 0,
    seed: terminal.Seed = 0,
    dtype: terminal.Dtype = "",
    template: terminal.Template = "",
    judge: terminal.Judge = "rules",
    device: terminal.Device = "",
    trust_remote_code: terminal.Trust = False,
    overwrite: terminal.Overwrite = False,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for editions, each in one of its own.")] = Path(
        "build"
    ),
) -> None:
    """Compute what is missing, execute the notebooks, build the book, and say where its index.html is."""
    from xlv.edition.book import build_edition
    from xlv.models.presets import BOOK_MODELS
    from xlv.profiles import names, profile_of

    size = {"data": data, "concepts": concepts, "languages": languages, "cohort": cohort, "pairs": pairs}
    wanted = profile_of(profile, **size, seed=seed, dtype=dtype, template=template, judge=judge)
    terminal.note(wanted.notes())
    how = {"loading": Loading(device or None, trust_remote_code), "overwrite": overwrite, "progress": Ticker()}
    say(f"The book: {build_edition(names(models) or BOOK_MODELS, wanted, out_dir, results, **how)}")


def batch(
    spec: Annotated[Path, typer.Argument(help="The batch's spec, a YAML file; see the page on batch runs.")],
    workers: Annotated[int, typer.Option(help="Runs at a time on this machine.", min=1)] = 1,
    scheduler: Annotated[str, typer.Option(help="Address of a Dask scheduler, as tcp://host:8786.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan only.")] = False,
) -> None:
    """Run a matrix of models and parameters, here or on a cluster, and build one book that compares them."""
    from functools import partial

    from xlv.batch.conduct import build_batch_book, conduct
    from xlv.batch.runs import plan
    from xlv.batch.spec import read_spec
    from xlv.edition.book import BookError

    if workers > 1 and scheduler:
        raise ValueError("--workers are of this machine and --scheduler has its own: give one of them")
    wanted = read_spec(spec)
    runs = plan(wanted)
    if dry_run:
        states = {run.name: "done" if run.record() else "waiting" for run in runs}
        show(["run", "state"], states.items())
        say(f"{len(runs)} runs, {list(states.values()).count('done')} of them done")
        return
    failed = conduct(wanted, runs, partial(typer.echo, err=True), workers=workers, scheduler=scheduler)
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
    from xlv.edition.published import import_results as imported

    for name, model in imported(res, out_dir).items():
        size = f"{model.recognition.sizes['concept']} concepts, {model.recognition.sizes['source']} languages"
        cosines = "no vectors, so no cosines" if model.consistency is None else "cosines"
        say(f"{name}: {size}, accuracies, {cosines}")
    say(f"Results: {out_dir}; name them among --models, with --results {out_dir}")
