"""What the notebooks call first: refuse mistyped parameters, find or compute the results."""

import ast
from functools import cache
from pathlib import Path

import xarray as xr

from xlv.cache import cache_root
from xlv.edition.book import repository
from xlv.models.weights import short_name
from xlv.questions.claims.ledger import findings
from xlv.questions.claims.verdicts import Finding
from xlv.questions.control.rates import moves
from xlv.report.style import use_style
from xlv.results import has_published, is_published, load, result_path
from xlv.settings import Profile
from xlv.study import run_control, run_study

STORED = "stored"  # the profile of an edition that shows what is in its folder of results, and computes nothing
_INJECTED = "# Parameters"  # how papermill begins the cell in which it hands parameters over


def check_parameters() -> None:
    """Raise ValueError for a parameter that papermill handed to this notebook and that the notebook does not have.

    Papermill only warns of one, so that a typing error would run the wrong thing. Its cell is compared with the
    notebook's own cell of parameters, which stands right before it; a reader's variables are nobody's business.
    """
    try:
        cells = get_ipython().user_ns["In"]  # noqa: F821
    except (NameError, KeyError):  # not in a notebook
        return
    for own, handed in zip(cells, cells[1:], strict=False):
        if handed.startswith(_INJECTED):
            refuse_unknown(_assigned(handed), _assigned(own))


def _assigned(source: str) -> list[str]:
    """Names that the lines of a cell assign to."""
    statements = ast.parse(source).body
    targets = [t for s in statements for t in getattr(s, "targets", [getattr(s, "target", None)])]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def refuse_unknown(given: list[str], known: list[str]) -> None:
    """Raise ValueError for the first of the given parameters that is not known."""
    for name in given:
        if name not in known:
            raise ValueError(f"unknown parameter {name!r}: this notebook has {', '.join(known)}")


def _names(text: str) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in text.split(",") if part.strip()) or None


def profile_of(
    profile: str = "full", *, data: str = "", languages: str = "", concepts: str = "", pairs: int = 0, seed: int = 0
) -> Profile:
    """The profile that a notebook's parameters ask for.

    Raises ValueError for an unknown profile, values of another type, and what `Settings` refuses.
    """
    for name, value in {"profile": profile, "data": data, "languages": languages, "concepts": concepts}.items():
        if not isinstance(value, str):
            raise ValueError(f"the parameter {name!r} is {value!r}, expected str")
    for name, number in {"pairs": pairs, "seed": seed}.items():
        if type(number) is not int:
            raise ValueError(f"the parameter {name!r} is {number!r}, expected int")
    size = {"languages": _names(languages), "concepts": _names(concepts), "pairs": pairs or None, "seed": seed or None}
    return Profile.named(profile).changed(data=data or None, **size)


def _reference() -> Path | None:
    """The committed reference results of the checkout that the notebook runs in, or that xlv lies in."""
    try:
        folder = repository() / "book" / "results"
    except ValueError:
        return None
    return folder if folder.is_dir() else None


@cache
def _leave_out(title: str) -> None:
    """Say once per notebook that published results are not shown in it."""
    print(f"{title}: not shown on this page, which needs single pairs; see 'As the paper measures it'.")


def open_results(
    models: str,
    question: str,
    *,
    results: str = "",
    profile: str = "full",
    data: str = "",
    languages: str = "",
    concepts: str = "",
    pairs: int = 0,
    seed: int = 0,
    published: bool = False,
) -> dict[str, xr.Dataset]:
    """Results of a question, `recognition`, `consistency` or `control`, by model; computed where they are not on disk.

    models     names, Hub ids, folders or .gguf files, separated by commas
    results    folder of results; empty: the reference results where no other size of run is asked for, else the cache
    profile    size of the run; `stored` shows what the folder holds, whatever its size, and computes nothing
    data, languages, concepts, pairs, seed  change the profile; empty or 0 leaves it as it is
    published  whether results that the authors published, which hold no single pairs, are shown too

    Also sets the book's style. Raises ValueError for unknown models, languages and concepts, and values out of range.
    """
    use_style()
    stored, asked = profile == STORED, any((data, languages, concepts, pairs, seed, results))
    size = {"data": data, "languages": languages, "concepts": concepts, "pairs": pairs, "seed": seed}
    wanted = profile_of("full" if stored else profile, **size)
    folder = Path(results) if results else cache_root() / "results" / wanted.name
    reference = folder if stored else None if asked or wanted.name != "full" else _reference()
    if not _names(models):
        raise ValueError("the parameter 'models' is empty: name at least one model")
    found = {}
    for model in _names(models):
        name = short_name(model)
        if question == "control" and has_published(folder, name):
            continue
        path = result_path(reference, name, question) if reference else None
        if path is not None and (stored or path.is_file()):
            if path.is_file() or question != "control":
                found[model] = load(path)  # raises where the folder has nothing of this model
        elif path is not None and path.parent.is_dir():
            continue  # the reference edition did not ask this question of this model
        elif question == "control":
            found[model] = run_control(model, wanted.control, folder)
        else:
            recognition = run_study(model, wanted.study, folder)
            path = result_path(folder, name, question)
            if not is_published(recognition) or (published and path.is_file()):
                found[model] = load(path)
            elif not published:
                _leave_out(recognition.attrs["title"])
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
