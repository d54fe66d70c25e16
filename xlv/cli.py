"""The command line: models, run, steer, book, batch, audit, import-results, cache, data."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from xlv import __version__
from xlv.settings import PROFILES, Loading, Profile
from xlv.terminal import OneLineErrors, Ticker, err, out

app = typer.Typer(
    cls=OneLineErrors, no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False
)
cache_app = typer.Typer(no_args_is_help=True, help="What lies in the cache, and how to drop it.")
data_app = typer.Typer(no_args_is_help=True, help="Corpora: check and measure one.")
app.add_typer(cache_app, name="cache")
app.add_typer(data_app, name="data")
PARTS = ("activations", "weights", "results", "journals", "completions")
Models = Annotated[str, typer.Option(help="Models, separated by commas.")]
Concepts = Annotated[str, typer.Option(help="Concepts, separated by commas; default: all of the profile.")]
Languages = Annotated[str, typer.Option(help="Language codes, separated by commas; default: all of the corpus.")]
ProfileName = Annotated[str, typer.Option(help=f"Size of the run: {', '.join(PROFILES)}.")]
Revision = Annotated[str, typer.Option(help="Revision of a Hub model: a branch, tag or commit (or org/name@revision).")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 … or auto (spread over all); default: cuda if here.")]
Trust = Annotated[bool, typer.Option("--trust-remote-code", help="Run code that the model brings; read it first.")]
Pairs = Annotated[int, typer.Option(help="Pairs a concept; 0: as many as the profile has.", min=0)]


def _names(text: str) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",") if name.strip()) or None


def _profile(name: str, concepts: str, languages: str, pairs: int, **changes: object) -> Profile:
    return Profile.named(name).changed(
        concepts=_names(concepts), languages=_names(languages), pairs=pairs or None, **changes
    )


@app.command()
def models() -> None:
    """List the models xlv knows by name: licence, size, disk need, whether their weights are here."""
    from xlv.models.presets import PRESETS
    from xlv.models.weights import ready

    table = Table(title="Embedded models and the nine of the paper", title_justify="left")
    for heading in ("name", "model", "licence", "disk", "weights", "Hub id", "template", "published shares", "note"):
        table.add_column(heading, overflow="fold")
    for preset in PRESETS.values():
        here = ("here" if ready(preset) else "fetched on first use") if preset.embedded else "from the Hub"
        shares = ", ".join(f"{code} {share:g} %" for code, share in list(preset.shares.items())[:3]) or "not published"
        table.add_row(
            preset.name, preset.title, preset.licence, f"{preset.disk / 1e9:.1f} GB", here, preset.hub,
            preset.template, shares + (" …" if preset.shares else ""), preset.note,
        )  # fmt: skip
    (out if out.is_terminal else Console(width=260)).print(table)
    out.print("Any other causal LM: give its Hub id, a folder, or a .gguf file.", highlight=False)


@app.command()
def run(
    model: Annotated[str, typer.Argument(help="Embedded name, preset, Hub id, folder or .gguf file.")],
    data: Annotated[str, typer.Option(help="Corpus folder; default: the built-in corpus.")] = "",
    concepts: Concepts = "",
    languages: Languages = "",
    pairs: Pairs = 0,
    protocol: Annotated[
        str, typer.Option(help="Protocol of the printed figures: cv or paper (both are stored).")
    ] = "cv",
    template: Annotated[
        str, typer.Option(help="raw, chat, llama2 or a pattern with {input}; default: the paper's.")
    ] = "",
    dtype: Annotated[str, typer.Option(help="fp32, bf16 or fp16; default: the profile's.")] = "",
    profile: ProfileName = "full",
    revision: Revision = "",
    device: Device = "",
    trust_remote_code: Trust = False,
    baselines: Annotated[bool, typer.Option(help="Also measure likelihood and an untrained model.")] = True,
    control: Annotated[bool, typer.Option("--control", help="Also question 4.")] = False,
    keep_completions: Annotated[
        bool, typer.Option("--keep-completions", help="With --control: completions go to a private file in the cache.")
    ] = False,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("results"),
) -> None:
    """Questions 1 to 3 (and 4 with --control) for one model; prints a table and writes netCDF files."""
    from xlv.models.presets import PRESETS
    from xlv.report.tables import control as control_tables
    from xlv.report.tables import recognition as tables
    from xlv.study import run_control, run_study, short_name

    if protocol not in ("cv", "paper"):
        raise ValueError(f"unknown protocol {protocol!r}: choose cv or paper")
    preset = PRESETS.get(model)
    wanted = _profile(
        profile, concepts, languages, pairs, data=data or None, dtype=dtype or None, baselines=baselines,
        template=template or (preset.template if preset else "raw"),
    )  # fmt: skip
    model = f"{model}@{revision}" if revision else model
    loading = Loading(device or None, trust_remote_code)
    dataset = run_study(model, wanted.study, out_dir, loading=loading, progress=Ticker())
    table = Table(
        title=f"{dataset.attrs['title']}: own-language recognition accuracy, protocol {protocol}", title_justify="left"
    )
    for heading in ("language", "accuracy", "95 % interval", "surface", "pairs"):
        table.add_column(heading)
    for code, row in tables.own_accuracy(dataset, protocol).iterrows():
        interval = f"{row['low']:.3f}–{row['high']:.3f}"
        table.add_row(str(code), f"{row['accuracy']:.3f}", interval, f"{row['surface']:.3f}", f"{row['pairs']:.0f}")
    out.print(table)
    if control:
        found = run_control(
            model, wanted.control, out_dir, loading=loading, keep_completions=keep_completions, progress=Ticker()
        )
        rates = control_tables.refusal_table(found)
        rates = rates.pivot_table(index="target", columns=["kind", "condition"], values="rate")
        out.print(rates.round(2).to_string(), highlight=False)
    out.print(f"Results: {out_dir / short_name(model)}", highlight=False)


@app.command()
def steer(
    model: Annotated[str, typer.Argument(help="Embedded name, preset, Hub id, folder or .gguf file.")],
    prompt: Annotated[str, typer.Argument(help="Any prompt.")],
    concept: Annotated[str, typer.Option(help="Concept whose vector steers.")] = "harmfulness",
    source: Annotated[str, typer.Option(help="Language whose vector steers.")] = "en",
    direction: Annotated[
        str, typer.Option(help="refusing (harmfulness) or positive (other concepts), the default.")
    ] = "",
    dose: Annotated[float, typer.Option(help="Strength times vector norm, over the mean residual norm.")] = 0.04,
    layers: Annotated[str, typer.Option(help="Span of relative depth, as 0.4-0.7.")] = "0.4-0.7",
    tokens: Annotated[int, typer.Option(help="Length of the completions, 32 at most.")] = 32,
    pairs: Pairs = 32,
    data: Annotated[str, typer.Option(help="Corpus folder; default: the built-in corpus.")] = "",
    revision: Revision = "",
    device: Device = "",
    trust_remote_code: Trust = False,
) -> None:
    """Complete a prompt unsteered and steered towards refusing, or towards the positive side of another concept."""
    from xlv.control.steer import steer as complete
    from xlv.settings import ControlSettings

    try:
        low, high = (float(part) for part in layers.split("-"))
    except ValueError:
        raise ValueError(f"expected --layers as two shares of the depth, for example 0.4-0.7, got {layers!r}") from None
    wanted = ControlSettings(concept=concept, source=source, tokens=tokens, pairs=pairs or None, data=data or None)
    found = complete(
        f"{model}@{revision}" if revision else model, prompt, settings=wanted, direction=direction, dose=dose,
        window=(low, high), loading=Loading(device or None, trust_remote_code), progress=Ticker(),
    )  # fmt: skip
    acted = f"{found.direction}, layers {found.layers[0]}–{found.layers[-1]}, s = {found.strength:+.3g}"
    for title, text in (("unsteered", found.plain), (acted, found.steered)):
        out.print(f"{title}:", style="bold", highlight=False)
        out.print(text.strip() + "\n", highlight=False, markup=False)


@app.command()
def book(
    models: Models = "",
    profile: ProfileName = "quick",
    results: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: in the edition's folder.")
    ] = None,
    data: Annotated[str, typer.Option(help="Corpus folder; default: the built-in corpus.")] = "",
    languages: Languages = "",
    concepts: Concepts = "",
    pairs: Pairs = 0,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the edition.")] = Path("build"),
) -> None:
    """Compute what is missing, execute the notebooks, build the book, and say where its index.html is."""
    from xlv.models.presets import BOOK_MODELS
    from xlv.report.book import build_edition

    names = _names(models) or BOOK_MODELS
    wanted = _profile(profile, concepts, languages, pairs, data=str(Path(data).resolve()) if data else None)
    index = build_edition(names, wanted, out_dir / wanted.name, results, progress=Ticker())
    out.print(f"The book: {index}", highlight=False, soft_wrap=True)


@app.command()
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
    from xlv.report.book import BookError

    if workers and scheduler:
        raise ValueError("--workers starts a cluster here and --scheduler takes one that is there: give one of them")
    wanted = read_spec(spec)
    runs = plan(wanted)
    if dry_run:
        (out if out.is_terminal else Console(width=200)).print(plan_table(runs, max(1, workers)))
        return
    failed = conduct(wanted, runs, err, workers=workers, scheduler=scheduler)
    count = f"{len(runs) - len(failed)} of {len(runs)} runs done"
    out.print(f"{count}: {wanted.out / 'runs'}", highlight=False, soft_wrap=True)
    for name, error in failed.items():
        out.print(f"failed: {name}: {error}", highlight=False, markup=False, soft_wrap=True)
    if wanted.book and len(failed) < len(runs):
        try:
            index = build_batch_book(wanted, runs, failed, progress=Ticker())
            out.print(f"The book: {index}", highlight=False, soft_wrap=True)
        except BookError as error:
            failed["book"] = str(error)
            out.print(f"failed: the book: {error}", highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def audit(
    model: Annotated[str, typer.Argument(help="Embedded name, preset, Hub id, folder or .gguf file.")],
    data: Annotated[str, typer.Option(help="Corpus folder; default: the built-in corpus.")] = "",
    concepts: Concepts = "",
    languages: Languages = "",
    pairs: Pairs = 0,
    profile: ProfileName = "quick",
    revision: Revision = "",
    device: Device = "",
    trust_remote_code: Trust = False,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the card and its results.")] = Path("audit"),
) -> None:
    """The four questions on one model, and one page with the verdicts: a card to attach to the model."""
    from xlv.audit import audit_model

    wanted = _profile(profile, concepts, languages, pairs, data=data or None)
    model = f"{model}@{revision}" if revision else model
    card = audit_model(model, wanted, out_dir, loading=Loading(device or None, trust_remote_code), progress=Ticker())
    out.print(f"The card: {card}", highlight=False, soft_wrap=True)


@app.command("import-results")
def import_results(
    res: Annotated[Path, typer.Argument(help="The authors' folder res, or one model's folder in it.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("results"),
) -> None:
    """Turn the authors' published results into ours; nothing in their files is executed."""
    from xlv.report import published

    for name, model in published.import_results(res, out_dir).items():
        vectors = "accuracies and cosines" if model.cosine is not None else "accuracies; no vectors, so no cosines"
        size = f"{len(model.concepts)} concepts, {len(model.languages)} languages"
        out.print(f"{name}: {size}, {vectors}", highlight=False)
    out.print(f"Results: {out_dir}; name them among --models, with --results {out_dir}", highlight=False)


@cache_app.command("list")
def cache_list() -> None:
    """Show what the cache holds, and how large it is."""
    from xlv.cache import cache_root, size_of

    root = cache_root()
    table = Table(title=f"Cache: {root}", title_justify="left")
    table.add_column("entry")
    table.add_column("size", justify="right")
    for path in sorted(path for path in root.glob("*/*") if not path.name.startswith(".")):
        table.add_row(str(path.relative_to(root)), f"{size_of(path) / 1e6:.1f} MB")
    out.print(table)


@cache_app.command("clear")
def cache_clear(
    what: Annotated[str, typer.Argument(help=f"{', '.join(PARTS)} or all.")] = "all",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete what the cache holds, all of it or a part."""
    from xlv.cache import cache_root, size_of

    if what not in ("all", *PARTS):
        raise ValueError(f"unknown part of the cache {what!r}: choose {', '.join(PARTS)} or all")
    folders = [f for f in cache_root().glob("*") if f.is_dir() and what in ("all", f.name)]
    size = sum(map(size_of, folders)) / 1e6
    if folders and not yes:
        typer.confirm(f"Delete {', '.join(f.name for f in folders)} ({size:.0f} MB) in {cache_root()}?", abort=True)
    for folder in folders:
        shutil.rmtree(folder)
    out.print(f"{size:.0f} MB deleted", highlight=False)


@data_app.command("check")
def data_check(
    path: Annotated[Path | None, typer.Argument(help="Corpus folder; default: the built-in one.")] = None,
) -> None:
    """Check a corpus and print counts, length ratios and what surface classifiers reach; exit 1 on errors."""
    from xlv.corpus.check import check_corpus
    from xlv.corpus.pairs import folder_fingerprint

    report = check_corpus(path, progress=Ticker())
    wide = Console(width=max(out.width, 110))
    table = Table(title="Pairs, groups, length ratio, and paired accuracy of surface classifiers", title_justify="left")
    columns = (
        "concept",
        "language",
        "pairs",
        "groups",
        "length_ratio",
        "same_ending",
        "identified",
        "words",
        "characters",
    )
    for heading in columns:
        table.add_column(heading.replace("_", " "))
    for _, row in report.figures.iterrows():
        counts = [str(row[name]) if name in ("concept", "language") else f"{row[name]:.0f}" for name in columns[:4]]
        table.add_row(*counts, *(f"{row[name]:.2f}" for name in columns[4:]))
    wide.print(table)  # nan: not measured there
    wide.print(f"Fingerprint: {folder_fingerprint(path)}", highlight=False)
    for title, lines in (("Notes", report.notes), ("Errors", report.errors)):
        wide.print(f"{title}: {len(lines)}", highlight=False)
        for line in lines:
            wide.print(f"  {line}", highlight=False, markup=False)
    if report.errors:
        raise typer.Exit(1)


@data_app.command("convert")
def data_convert(
    source: Annotated[str, typer.Argument(help="ethics, truthfulqa, toxigen, advbench or polyrefuse.")],
    path: Annotated[Path, typer.Argument(help="The published files: a folder, or a .csv file.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the corpus; a new one.")],
    pairs: Annotated[int, typer.Option(help="Pairs a concept at most; 0: all that can be made.", min=0)] = 0,
) -> None:
    """Turn published files of a well-known source into a corpus folder."""
    from xlv.corpus.recipes import convert

    for (concept, languages), made in convert(source, path, out_dir, limit=pairs or None).items():
        out.print(f"{concept}: {made} pairs in {languages}", highlight=False)
    out.print(f"The corpus: {out_dir}; check it with `xlv data check {out_dir}`", highlight=False)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(f"xlv {__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Entry point."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    app()


if __name__ == "__main__":
    main()
