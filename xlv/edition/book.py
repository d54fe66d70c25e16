"""The book: notebooks executed by papermill on results, assembled with the prose, built by Jupyter Book."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError

from xlv import __version__
from xlv.cache import Progress, silent, whole_file
from xlv.models.presets import caption
from xlv.settings import Profile

NOTEBOOKS = (
    "home",
    "corpus",
    "models",
    "q1_recognition",
    "q2_consistency",
    "q3_transfer",
    "q4_control",
    "claims",
    "explorer",
    "as_published",
    "performance",
)


class BookError(ValueError):
    """A book that could not be built; the message names the notebook or the log."""


def repository() -> Path:
    """The folder with `_toc.yml`, `notebooks/` and `book/`: the current one, one above it, or the package's own."""
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[2]):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise BookError("found no notebooks/ and _toc.yml: run this inside a checkout of the xlv repository")


def execute_notebooks(
    names: Sequence[str],
    parameters: dict[str, object],
    target: Path,
    *,
    root: Path | None = None,
    cwd: Path | None = None,
    progress: Progress = silent,
) -> None:
    """Execute notebooks of the repository `root` into `target` with papermill, in the folder `cwd` (default: `root`).

    Raises BookError naming the notebook that failed, with the notebook's own error as its cause; the partial output
    stays in `target`.
    """
    root = root or repository()
    target.mkdir(parents=True, exist_ok=True)
    for done, name in enumerate(names):
        progress("executing notebooks", done, len(names))
        output = target / f"{name}.ipynb"
        try:
            papermill.execute_notebook(
                root / "notebooks" / f"{name}.ipynb",
                output,
                parameters,
                cwd=cwd or root,
                kernel_name="python3",
                progress_bar=False,
            )
        except PapermillExecutionError as error:
            raise BookError(
                f"notebook {name} failed: {error.ename}: {error.evalue} (as far as it came: {output})"
            ) from error
    _drop_injected_cells(target)
    progress("executing notebooks", len(names), len(names))


def _drop_injected_cells(folder: Path) -> None:
    """Take papermill's injected parameters off the pages: the banner says them, and they hold a machine's paths."""
    for path in folder.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
        notebook.metadata.pop("papermill", None)
        with whole_file(path) as temporary:
            nbformat.write(notebook, temporary)


def _banner(models: Sequence[str], profile: Profile) -> str:
    size = "all" if profile.study.pairs is None else str(profile.study.pairs)
    shown = ", ".join(caption(model) for model in models)
    return f"Edition “{profile.name}”: {shown}; {size} pairs a concept, {profile.study.dtype}."


def _assemble(source: Path, banner: str, pages: Mapping[str, str]) -> None:
    root = repository()
    shutil.copytree(root / "book", source / "book", dirs_exist_ok=True, ignore=shutil.ignore_patterns("results"))
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    for name, text in pages.items():
        (source / "book" / f"{name}.md").write_text(text, encoding="utf-8")
        contents["parts"][0]["chapters"].append({"file": f"book/{name}"})
    (source / "_toc.yml").write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf-8")
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    config["execute"] = {"execute_notebooks": "off"}
    config.setdefault("html", {})["announcement"] = f"{banner} xlv {__version__}, {date.today()}."
    (source / "_config.yml").write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _build(source: Path, log: Path) -> Path:
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", str(source), "--path-output", str(source.parent)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log.write_text(done.stdout, encoding="utf-8")
    index = source.parent / "_build" / "html" / "index.html"
    if done.returncode or not index.is_file():
        raise BookError(f"Jupyter Book failed; its last lines, all of them in {log}:\n{done.stdout[-600:]}")
    return index


def build_edition(
    models: Sequence[str], profile: Profile, folder: Path, results: Path | None = None, *, progress: Progress = silent
) -> Path:
    """Compute what is missing, execute the notebooks, assemble and build; returns the path of index.html.

    Everything of the edition lies in `folder`; results in `results` (default `{folder}/results`). A second call
    computes nothing again. Raises ValueError for unknown models and settings, BookError for what fails later.
    """
    from xlv.models.weights import short_name
    from xlv.results import has_published
    from xlv.study import run_control, run_study

    folder = folder.resolve()
    results = (results or folder / "results").resolve()
    for model in models:
        run_study(model, profile.study, results, progress=progress)
        if not has_published(results, short_name(model)):
            run_control(model, profile.control, results, progress=progress)
    parameters = {
        "models": ",".join(models),
        "data": profile.study.data or "",
        "results": str(results),
        "profile": profile.name,
        "languages": ",".join(profile.study.languages or ()),
        "concepts": ",".join(profile.study.concepts or ()),
        "pairs": profile.study.pairs or 0,
        "seed": profile.study.seed,
    }
    return build_book(parameters, folder, _banner(models, profile), progress=progress)


def build_book(
    parameters: dict[str, object],
    folder: Path,
    banner: str,
    pages: Mapping[str, str] | None = None,
    *,
    progress: Progress = silent,
) -> Path:
    """Execute all notebooks on results that are there, assemble them with the prose and build; returns index.html.

    `pages` are further chapters by name, in Markdown. Raises BookError.
    """
    source = folder / "source"
    execute_notebooks(NOTEBOOKS, parameters, source / "notebooks", progress=progress)
    _assemble(source, banner, pages or {})
    progress("building the book", 0, 1)
    index = _build(source, folder / "jupyter-book.log")
    progress("building the book", 1, 1)
    return index
