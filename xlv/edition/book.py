"""What is made of results for people: the book, of notebooks executed by papermill and the prose, and audit cards."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from xlv import __version__
from xlv.archive import place
from xlv.cache import Progress, counted, silent, whole_file, writing
from xlv.corpus.pairs import folder_fingerprint, pairs_of
from xlv.models.names import from_anywhere, models_of, named
from xlv.models.presets import BOOK_MODELS
from xlv.profiles import Profile, as_folder, key_of
from xlv.results import has_published, load
from xlv.settings import DEFAULT_LOADING, ControlSettings, Loading
from xlv.study import check_control, run_control, run_study

Parameters = Mapping[str, object]  # of notebooks, by name
KILLED = "its kernel died or did not start, perhaps because memory ran out"


class BookError(ValueError):
    """A book that could not be built; the message names the notebook or the log."""


def repository() -> Path:
    """The checkout of xlv, with `_toc.yml` and `notebooks/`: the package's own, the current folder or one above it.

    Raises BookError where there is none: xlv may be installed without it.
    """
    for folder in (Path(__file__).resolve().parents[2], Path.cwd(), *Path.cwd().parents):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks" / "q1_recognition.ipynb").is_file():
            return folder
    raise BookError("books are made of notebooks, which are not installed: run this in a checkout of xlv's repository")


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

    Raises BookError naming the notebook that failed, with what failed as its cause; the partial output stays in
    `target`. The cell of handed parameters is left out: the book's banner says them, and they hold a machine's paths.
    Nobody else can reach the kernels: their sockets are files in a private folder.
    """
    root = root or repository()
    sources = [root / "notebooks" / f"{name}.ipynb" for name in names]
    target.mkdir(parents=True, exist_ok=True)
    settings = {"cwd": cwd or root, "kernel_name": "python3", "progress_bar": False}
    for source in counted(sources, "executing notebooks", progress):
        output = target / source.name
        try:
            with TemporaryDirectory(prefix="xlv-") as private, writing(target):
                way = "ipc" if len(private) < 90 else "tcp"  # the name of a socket has at most 107 characters
                kernel = Config(KernelManager={"transport": way, "connection_file": f"{private}/kernel.json"})
                notebook = papermill.execute_notebook(source, output, dict(parameters), config=kernel, **settings)
        except PapermillExecutionError as error:
            problem = f"{error.ename}: {error.evalue} (as far as it came: {output})"
            raise BookError(f"notebook {source.stem} failed: {problem}") from error
        except RuntimeError as error:  # nbclient's
            raise BookError(f"notebook {source.stem}: {KILLED}") from error
        notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
        notebook.metadata.pop("papermill", None)
        with whole_file(output) as temporary:
            nbformat.write(notebook, temporary)


def build_edition(
    models: Sequence[str],
    profile: Profile,
    out: Path,
    results: Path | None = None,
    *,
    loading: Loading = DEFAULT_LOADING,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Compute what is missing, execute the notebooks, assemble and build; returns the path of index.html.

    The edition lies in a folder of `out` named after its models and settings; results in `results` (default: its folder
    `results`). A second call computes nothing again. Raises ValueError for unknown models and settings, BookError for
    what fails later.
    """
    repository()
    models = [from_anywhere(model) for model in models_of(models)]
    folder, study = out.resolve() / edition_name(models, profile), profile.study
    results = (results or folder / "results").resolve()
    how = {"loading": loading, "overwrite": overwrite, "progress": progress}
    pairs_of(study), check_control(profile.control)  # what is wrong with texts or a judge is said before all else
    for model in counted(models, "models", progress):
        run_study(model, study, results, **how)
        if not has_published(results, model):
            run_control(model, profile.control, results, **how)
    parameters = {"models": ",".join(models), "data": study.data and str(study.folder.resolve()) or ""}
    parameters |= {name: ",".join(getattr(study, name) or ()) for name in ("languages", "concepts")}
    parameters |= {"profile": profile.name, "cohort": study.cohort, "pairs": study.pairs or 0, "seed": study.seed}
    usual = Profile.named(profile.name)
    changed = (study.dtype, profile.control.dtype) != (usual.study.dtype, usual.control.dtype)
    parameters |= {"results": str(results), "dtype": study.dtype if changed else "", "template": study.template}
    parameters |= {"device": loading.device or "", "trust_remote_code": loading.trust_remote_code}
    parameters["judge"] = profile.control.judge
    shown, size = ", ".join(named(m).title for m in models), "all" if study.pairs is None else study.pairs
    banner = f"Edition “{profile.name}”: {shown}; {size} pairs per concept (cohort: {study.cohort}), {study.dtype}."
    with writing(folder):
        return build_book(parameters, folder, banner, progress=progress)


def edition_name(models: Sequence[str], profile: Profile) -> str:
    """A folder's name for an edition: the profile's, with models and settings where they are not the usual ones."""
    if tuple(models) == BOOK_MODELS and profile == Profile.named(profile.name):
        return profile.name
    labels = "+".join(named(model).label for model in models)
    corpus = folder_fingerprint(profile.study.folder) if profile.study.folder else ""
    asked = [labels, key_of(profile.study, corpus)]
    asked += [f"judge={profile.control.judge}"] if profile.control.judge != ControlSettings.judge else []
    return as_folder(",".join(asked))


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
    config.setdefault("html", {})["announcement"] = f"{escape(banner)} xlv {__version__}, {date.today()}."
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
    model: str,
    profile: Profile,
    out: Path,
    *,
    loading: Loading = DEFAULT_LOADING,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Ask the questions of a model and write `{out}/{label}/{key}/card.html`, beside its results. Returns the path.

    Question 4 is asked of models with a chat template only; the card says where it was not. A second call computes
    nothing again. Raises as `run_study` does.
    """
    from xlv.models.load import has_chat_template
    from xlv.report.card import card

    how = {"loading": loading, "overwrite": overwrite, "progress": progress}
    asked = has_chat_template(model, trust_remote_code=loading.trust_remote_code)
    if asked:
        check_control(profile.control)
    recognition, folder = run_study(model, profile.study, out, **how), place(model, profile.study, out)
    control = run_control(model, profile.control, out, **how) if asked else None
    path = folder / "card.html"
    with whole_file(path) as temporary:
        temporary.write_text(card(recognition, load(folder / "consistency.nc"), control), encoding="utf-8")
    return path
