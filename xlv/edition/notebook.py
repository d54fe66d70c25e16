"""What the notebooks call first: refuse mistyped parameters, find or compute the results."""

import ast
from contextlib import suppress
from functools import cache
from pathlib import Path

import xarray as xr
from IPython import get_ipython

from xlv.cache import cache_root
from xlv.edition.book import BookError, refuse_unknown, repository
from xlv.models.weights import short_name
from xlv.questions.claims.ledger import Finding, findings
from xlv.questions.control.rates import moves
from xlv.questions.recognition.tables import PROTOCOLS
from xlv.report.drawing import use_style
from xlv.results import has_published, is_published, load, result_path
from xlv.settings import Profile
from xlv.study import run_control, run_study

STORED = "stored"  # the profile of an edition that shows what is in its folder of results, and computes nothing
_INJECTED = "# Parameters"  # how papermill begins the cell in which it hands parameters over


def check_parameters() -> None:
    """Raise ValueError for a parameter that papermill handed to this notebook and that the notebook does not have.

    Papermill only warns of one, so that a typing error would run the wrong thing. Its cell is compared with what the
    notebook assigns before it, its own cell of parameters; a reader's variables are nobody's business.
    """
    shell = get_ipython()
    if shell is None:  # not in a notebook
        return
    cells = shell.user_ns.get("In", [])
    handed = [cell for cell in cells if cell.startswith(_INJECTED)]
    known = [name for cell in cells[: cells.index(handed[0])] for name in _assigned(cell)] if handed else []
    for cell in handed if known else []:
        refuse_unknown(_assigned(cell), known)
    protocol = shell.user_ns.get("protocol", PROTOCOLS[0])
    if protocol not in PROTOCOLS:
        raise ValueError(f"the parameter 'protocol' is {protocol!r}: choose {' or '.join(PROTOCOLS)}")


def _assigned(source: str) -> list[str]:
    """Names that a cell assigns to; none where it is no Python, as a reader's may be."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return []
    return [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def names(text: str) -> tuple[str, ...] | None:
    """Names separated by commas; None for none."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) or None


def profile_of(
    profile: str = "full", *, data: str = "", languages: str = "", concepts: str = "", pairs: int = 0, seed: int = 0
) -> Profile:
    """The profile that parameters or options ask for; what is empty or 0 stays as the profile has it.

    Raises ValueError for an unknown profile, values of another type, and what `Settings` refuses.
    """
    texts = {"profile": profile, "data": data, "languages": languages, "concepts": concepts}
    for kind, given in ((str, texts), (int, {"pairs": pairs, "seed": seed})):
        for name, value in given.items():
            if type(value) is not kind:
                raise ValueError(f"the parameter {name!r} is {value!r}, expected {kind.__name__}")
    size = {"languages": names(languages), "concepts": names(concepts), "pairs": pairs or None, "seed": seed or None}
    return Profile.named(profile).changed(data=data or None, **size)


def _reference() -> Path | None:
    """The committed reference results of the checkout that the notebook runs in, or that xlv lies in."""
    with suppress(BookError):
        folder = repository() / "book" / "results"
        return folder if folder.is_dir() else None


@cache
def _leave_out(title: str) -> None:
    """Say once per notebook that published results are not shown in it."""
    print(f"{title}: not shown on this page, which needs single pairs; see 'As the paper measures it'.")


def open_results(
    models: str, question: str, *, results: str = "", profile: str = "full", published: bool = False, **size: str | int
) -> dict[str, xr.Dataset]:
    """Results of a question, `recognition`, `consistency` or `control`, by model; computed where they are not on disk.

    models     names, Hub ids, folders or .gguf files, separated by commas
    results    folder of results; empty: the reference results where no other size of run is asked for, else the cache
    profile    size of the run; `stored` shows what the folder holds, whatever its size, and computes nothing
    published  whether results that the authors published, which hold no single pairs, are shown too
    size       data, languages, concepts, pairs, seed: they change the profile, see `profile_of`

    Also sets the book's style. Raises ValueError for unknown models, languages and concepts, and values out of range.
    """
    use_style()
    stored = profile == STORED
    wanted = profile_of("full" if stored else profile, **size)
    folder = Path(results) if results else cache_root() / "results" / wanted.name
    whole = wanted.name == "full" and not results and not any(size.values())
    reference = folder if stored else _reference() if whole else None
    if not names(models):
        raise ValueError("the parameter 'models' is empty: name at least one model")
    found = {}
    for model in names(models):
        name = short_name(model)
        kept = reference is not None and (stored or (reference / name).is_dir())
        path = result_path(reference if kept else folder, name, question)
        if not kept and question != "control":
            run_study(model, wanted.study, folder)
        elif not kept and not has_published(folder, name):
            run_control(model, wanted.control, folder)
        if not path.is_file() and (question == "control" or has_published(path.parents[1], name)):
            continue  # this was not asked of this model
        dataset = load(path)
        if is_published(dataset) and not published:
            _leave_out(dataset.attrs["title"])
        else:
            found[model] = dataset
    if not found and question != "control":
        raise ValueError(f"none of the models has results of its own on {question}: name at least one more")
    return found


def open_ledger(models: str, *, results: str = "", **size) -> tuple[dict[str, list[Finding]], dict[str, str]]:
    """Findings on all claims, and the title, of each model; computes what `open_results` would, with its keywords.

    Claim 2 needs two models of one series on the same pairs: their results are looked for in the folder `series`
    beside the others.
    """
    questions = ("recognition", "consistency", "control")
    recognition, consistency, control = (open_results(models, q, results=results, **size) for q in questions)
    folder = Path(results) if results else _reference()
    sizes = [load(path) for path in sorted(folder.glob("series/*/recognition.nc"))] if folder else []
    series = {str(ds.attrs["model"]): ds for ds in sorted(sizes, key=lambda ds: ds.attrs["parameters"])}
    moved = {model: moves(dataset) for model, dataset in control.items()}
    titles = {model: str(dataset.attrs["title"]) for model, dataset in recognition.items()}
    return findings(recognition, consistency, moved, series), titles
