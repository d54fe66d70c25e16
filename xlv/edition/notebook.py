"""What the notebooks call first: check the parameters, find or compute the results, set the style."""

from functools import cache
from pathlib import Path

import xarray as xr

from xlv.cache import cache_root
from xlv.questions.claims.ledger import findings
from xlv.questions.claims.verdicts import Finding
from xlv.questions.control.rates import moves
from xlv.report.style import use_style
from xlv.results import has_published, is_published, load, result_path
from xlv.settings import Profile
from xlv.study import run_control, run_study, short_name

PARAMETERS = ("models", "data", "results", "profile", "languages", "concepts", "pairs", "seed", "protocol")
STORED = "stored"  # the profile of an edition that shows what is in its folder of results, and computes nothing
_SHELL = {"In", "Out", "exit", "quit", "open", "get_ipython"}


def check_parameters(names: dict[str, object]) -> dict[str, object]:
    """The parameters among a notebook's globals; ValueError for one that no notebook has, or of the wrong kind.

    Papermill only warns of an unknown parameter, so a typing error would run the wrong thing in silence.
    """
    plain = (str, int, float, bool, list, type(None))  # what papermill injects; imported tables are dicts
    given = {
        name: value
        for name, value in names.items()
        if not name.startswith("_") and name not in _SHELL and isinstance(value, plain)
    }
    unknown = sorted(set(given) - set(PARAMETERS))
    if unknown:
        raise ValueError(f"unknown parameter {unknown[0]!r}: this notebook has {', '.join(PARAMETERS)}")
    for name, value in given.items():
        kind = int if name in ("pairs", "seed") else str
        if not isinstance(value, kind):
            raise ValueError(f"the parameter {name!r} is {value!r}, expected {kind.__name__}")
    if given.get("protocol", "cv") not in ("cv", "paper"):
        raise ValueError(f"unknown protocol {given['protocol']!r}: choose cv or paper")
    return given


def _split(text: object) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in str(text).split(",") if part.strip()) or None


def profile_of(given: dict[str, object]) -> Profile:
    """The profile that a notebook's parameters ask for; raises ValueError for an unknown one."""
    return Profile.named(str(given["profile"])).changed(
        data=str(given["data"]) or None,
        languages=_split(given["languages"]),
        concepts=_split(given["concepts"]),
        pairs=int(str(given["pairs"])) or None,
        seed=int(str(given.get("seed", 0))) or None,
    )


def _reference_folder() -> Path | None:
    """The committed reference results, `book/results` of the repository that the notebook runs in."""
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[2]):
        if (folder / "book" / "results").is_dir() and (folder / "_toc.yml").is_file():
            return folder / "book" / "results"
    return None


def start(names: dict[str, object]) -> dict[str, object]:
    """Check the parameters among a notebook's globals, set the book's style, and return the parameters."""
    given = check_parameters(names)
    use_style()
    return given


@cache
def _leave_out(title: str) -> None:
    """Say once a notebook that published results are not shown in it."""
    print(f"{title}: not shown on this page, which needs single pairs; see 'As the paper measures it'.")


def open_results(names: dict[str, object], question: str, *, published: bool = False) -> dict[str, xr.Dataset]:
    """Results of a question for each model of the parameters, computed where they are not on disk yet.

    `names` are the notebook's globals. Results are looked for in the folder `results`; without one, the reference
    results serve every model that has them as long as no other size of run is asked for, and what is computed goes to
    the cache. With the profile `stored` the folder is shown as it is, whatever the size of its runs, and nothing is
    computed. Results that others published, which hold no single pairs, are left out with a sentence unless
    `published` asks for them.
    Raises ValueError for unknown parameters, models, languages and concepts.
    """
    given = start(names)
    stored = given["profile"] == STORED
    profile = Profile.named("full") if stored else profile_of(given)
    asked = any(given.get(name) for name in ("data", "languages", "concepts", "pairs", "seed", "results"))
    folder = Path(str(given["results"])) if given["results"] else cache_root() / "results" / profile.name
    reference = folder if stored else None if asked or profile.name != "full" else _reference_folder()
    models = _split(given["models"])
    if not models:
        raise ValueError("the parameter 'models' is empty: name at least one model")
    found = {}
    for model in models:
        if question == "control" and has_published(folder, short_name(model)):
            continue
        path = result_path(reference, short_name(model), question) if reference else None
        if path is not None and path.is_file():
            found[model] = load(path)
        elif path is not None and path.parent.is_dir():
            continue  # the reference edition did not ask this question of this model
        elif stored:
            found[model] = load(path)  # raises: the folder has nothing of this model
        elif question == "control":
            found[model] = run_control(model, profile.control, folder)
        else:
            recognition = run_study(model, profile.study, folder)
            path = result_path(folder, short_name(model), question)
            if not is_published(recognition) or (published and path.is_file()):
                found[model] = load(path)
            elif not published:
                _leave_out(recognition.attrs["title"])
    if not found and question != "control":
        raise ValueError(f"none of the models has results of its own on {question}: name at least one more")
    return found


def open_ledger(names: dict[str, object]) -> tuple[dict[str, list[Finding]], dict[str, str]]:
    """Findings on all claims, and the title, of each model of the parameters; computes what `open_results` would.

    Claim 2 needs two models of one series on the same pairs: their results are looked for in the folder `series`
    beside the others.
    """
    recognition, consistency, control = (open_results(names, q) for q in ("recognition", "consistency", "control"))
    reference = None if names["results"] else _reference_folder()
    folder = Path(str(names["results"])) if names["results"] else reference
    sizes = [load(path) for path in sorted(folder.glob("series/*/recognition.nc"))] if folder else []
    series = {str(ds.attrs["model"]): ds for ds in sorted(sizes, key=lambda ds: ds.attrs["parameters"])}
    moved = {model: moves(dataset) for model, dataset in control.items()}
    titles = {model: str(dataset.attrs["title"]) for model, dataset in recognition.items()}
    return findings(recognition, consistency, moved, series), titles
