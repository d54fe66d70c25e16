"""What is made of results for people: the book, of notebooks executed by papermill and the prose, and audit cards."""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError

from xlv import __version__
from xlv.cache import Progress, counted, silent, whole_file
from xlv.models.presets import caption
from xlv.models.weights import short_name
from xlv.results import has_published, load, result_path
from xlv.settings import DEFAULT_LOADING, Loading, Profile
from xlv.study import run_control, run_study

Parameters = Mapping[str, object]  # of notebooks, by name


class BookError(ValueError):
    """A book that could not be built; the message names the notebook or the log."""


def repository() -> Path:
    """The folder with `_toc.yml`, `notebooks/` and `book/`: the current one, one above it, or the package's own."""
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[2]):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise BookError("found no notebooks/ and _toc.yml: run this inside a checkout of the xlv repository")


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Raise ValueError for the first of the given parameters that a notebook does not have."""
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"unknown parameter {unknown[0]!r}: this notebook has {', '.join(known)}")


def execute_notebooks(
    names: Sequence[str],
    parameters: Parameters,
    target: Path,
    *,
    root: Path | None = None,
    cwd: Path | None = None,
    progress: Progress = silent,
) -> None:
    """Execute notebooks of the repository `root` into `target` with papermill, in the folder `cwd` (default: `root`).

    Raises ValueError for a parameter that one of them does not have, before any runs, and BookError naming the notebook
    that failed, with the notebook's own error as its cause; the partial output stays in `target`. The cell of handed
    parameters is left out: the book's banner says them, and they hold a machine's paths.
    """
    root = root or repository()
    sources = [root / "notebooks" / f"{name}.ipynb" for name in names]
    for source in sources:
        refuse_unknown(parameters, papermill.inspect_notebook(source))
    target.mkdir(parents=True, exist_ok=True)
    settings = {"cwd": cwd or root, "kernel_name": "python3", "progress_bar": False}
    for source in counted(sources, "executing notebooks", progress):
        output = target / source.name
        try:
            notebook = papermill.execute_notebook(source, output, dict(parameters), **settings)
        except PapermillExecutionError as error:
            problem = f"{error.ename}: {error.evalue} (as far as it came: {output})"
            raise BookError(f"notebook {source.stem} failed: {problem}") from error
        notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
        notebook.metadata.pop("papermill", None)
        with whole_file(output) as temporary:
            nbformat.write(notebook, temporary)


def build_edition(
    models: Sequence[str], profile: Profile, folder: Path, results: Path | None = None, *, progress: Progress = silent
) -> Path:
    """Compute what is missing, execute the notebooks, assemble and build; returns the path of index.html.

    Everything of the edition lies in `folder`; results in `results` (default `{folder}/results`). A second call
    computes nothing again. Raises ValueError for unknown models and settings, BookError for what fails later.
    """
    folder, study = folder.resolve(), profile.study
    results = (results or folder / "results").resolve()
    for model in models:
        run_study(model, study, results, progress=progress)
        if not has_published(results, short_name(model)):
            run_control(model, profile.control, results, progress=progress)
    parameters = {"models": ",".join(models), "data": study.data or "", "results": str(results)}
    parameters |= {name: ",".join(getattr(study, name) or ()) for name in ("languages", "concepts")}
    parameters |= {"profile": profile.name, "pairs": study.pairs or 0, "seed": study.seed}
    shown, size = ", ".join(map(caption, models)), "all" if study.pairs is None else study.pairs
    banner = f"Edition “{profile.name}”: {shown}; {size} pairs per concept, {study.dtype}."
    return build_book(parameters, folder, banner, progress=progress)


def build_book(
    parameters: Parameters, folder: Path, banner: str, pages: Mapping[str, str] = {}, *, progress: Progress = silent
) -> Path:
    """Execute all notebooks on results that are there, assemble them with the prose and build; returns index.html.

    `pages` are further chapters by name, in Markdown. Raises BookError.
    """
    root, source = repository(), folder / "source"
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    files = [contents["root"], *(chapter["file"] for part in contents["parts"] for chapter in part["chapters"])]
    notebooks = [Path(file).name for file in files if file.startswith("notebooks/")]
    execute_notebooks(notebooks, parameters, source / "notebooks", progress=progress)
    shutil.copytree(root / "book", source / "book", dirs_exist_ok=True, ignore=shutil.ignore_patterns("results"))
    for name, text in pages.items():
        (source / "book" / f"{name}.md").write_text(text, encoding="utf-8")
        contents["parts"][0]["chapters"].append({"file": f"book/{name}"})
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    config["execute"] = {"execute_notebooks": "off"}
    config.setdefault("html", {})["announcement"] = f"{banner} xlv {__version__}, {date.today()}."
    for name, content in (("_toc.yml", contents), ("_config.yml", config)):
        (source / name).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    progress("building the book", 0, 1)
    log, index = folder / "jupyter-book.log", folder / "_build" / "html" / "index.html"
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", str(source), "--path-output", str(folder)]
    built = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log.write_text(built.stdout, encoding="utf-8")
    if built.returncode or not index.is_file():
        raise BookError(f"Jupyter Book failed; its last lines, all of them in {log}:\n{built.stdout[-600:]}")
    progress("building the book", 1, 1)
    return index


def audit_model(
    model: str, profile: Profile, out: Path, *, loading: Loading = DEFAULT_LOADING, progress: Progress = silent
) -> Path:
    """Ask the questions of a model and write `{out}/{model}.html`; results lie in `{out}/results`. Returns the path.

    Question 4 is asked of models with a chat template only; the card says where it was not. A second call computes
    nothing again. Raises as `run_study` does.
    """
    from xlv.models.load import has_chat_template
    from xlv.report.card import card

    results, name = out / "results", short_name(model)
    recognition = run_study(model, profile.study, results, loading=loading, progress=progress)
    consistency = load(result_path(results, name, "consistency"))
    control = None
    if has_chat_template(model, trust_remote_code=loading.trust_remote_code):
        control = run_control(model, profile.control, results, loading=loading, progress=progress)
    path = out / f"{name}.html"
    with whole_file(path) as temporary:
        temporary.write_text(card(recognition, consistency, control), encoding="utf-8")
    return path
