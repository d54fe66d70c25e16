"""What the notebooks call first: refuse mistyped parameters, find or compute the results."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import xarray as xr
from IPython import get_ipython
from IPython.display import clear_output

from xlv.archive import place
from xlv.cache import Progress, cache_root, silent
from xlv.edition.book import BookError, repository
from xlv.models.names import models_of
from xlv.models.presets import PRESETS
from xlv.models.weights import identity
from xlv.profiles import Profile, profile_of
from xlv.questions.claims.ledger import Ledger, judged
from xlv.questions.recognition.tables import PROTOCOLS
from xlv.report.drawing import use_style
from xlv.results import has_published, is_published, load, result_path
from xlv.schema import SCHEMA
from xlv.settings import Loading, typed
from xlv.study import run_control, run_study

STORED = "stored"  # the profile of an edition that shows what is in its folder of results, and computes nothing
_INJECTED = "# Parameters"  # how papermill begins the cell in which it hands parameters over
_ASSIGNED = re.compile(r"^(\w+)\s*(?::[^=\n]*)?=(?!=)", re.MULTILINE)  # `name =` or `name: type =`


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
    known = [name for cell in cells[: cells.index(handed[0])] for name in _ASSIGNED.findall(cell)] if handed else []
    for name in _ASSIGNED.findall("\n".join(handed)) if known else ():
        if name not in known:
            raise ValueError(f"unknown parameter {name!r}: this notebook has {', '.join(known)}")
    protocol = shell.user_ns.get("protocol", PROTOCOLS[0])
    if protocol not in PROTOCOLS:
        raise ValueError(f"the parameter 'protocol' is {protocol!r}: choose {' or '.join(PROTOCOLS)}")


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
    models: str | Sequence[str],
    question: str,
    *,
    results: str = "",
    profile: str = "full",
    published: bool = False,
    device: str = "",
    trust_remote_code: bool = False,
    **size: str | int,
) -> dict[str, xr.Dataset]:
    """Results of a question, `recognition`, `consistency` or `control`, by model; computed where they are not on disk.

    models     names, Hub ids, folders or .gguf files, separated by commas; `label=model` labels one
    results    folder of results; empty: the reference, raw or `chat`, where no other size is asked for, else the cache
    profile    size of the run; `stored` shows what the folder holds, whatever its size, and computes nothing
    published  whether results that the authors published, which hold no single pairs, are shown too
    device, trust_remote_code  as in `Loading`
    size       data, languages, concepts, cohort, pairs, seed, dtype, template, which change the profile: `profile_of`

    Also sets the book's style. Raises ValueError for unknown models, languages and concepts, values out of range, and
    two models of one label.
    """
    use_style(), typed(str, question=question, results=results, device=device), typed(bool, published=published)
    if question not in SCHEMA:
        raise ValueError(f"unknown question {question!r}: choose one of {', '.join(SCHEMA)}")
    stored, wanted = profile == STORED, profile_of("full" if profile == STORED else profile, **size)
    folder = Path(results) if results else cache_root() / "results"
    reference = _reference() if not results and wanted in (profile_of(), profile_of(template="chat")) else None
    loading, every = Loading(device or None, trust_remote_code), {}
    for model in models_of(models):
        name = f"{model}/chat" if wanted.study.template == "chat" and question != "control" else model
        if reference is not None and _is_reference(reference, model, name):
            every[model] = _kept(reference, name, question)
        elif stored or has_published(folder, model):
            every[model] = _kept(folder, model, question)
        else:
            every[model] = _computed(model, wanted, question, folder, loading)
    found = {model: dataset for model, dataset in every.items() if dataset is not None}
    for model in [] if published else [model for model, dataset in found.items() if is_published(dataset)]:
        _leave_out(found.pop(model).attrs["title"])
    if not found and question != "control":
        raise ValueError(f"none of the models has results of its own on {question}: name at least one more")
    return found


def open_chat(
    models: str | Sequence[str], question: str, *, results: str = "", profile: str = "full", **size
) -> dict[str, xr.Dataset]:
    """The chat reading that stands in the reference results beside the raw one, by model; computes nothing.

    Takes what `open_results` takes; empty where another folder or size is asked for.
    """
    about = {name: size.pop(name) for name in ("device", "trust_remote_code") if name in size}
    usual = not results and profile != STORED and profile_of(profile, **size) == profile_of()
    reference = _reference() if usual else None
    known = [model for model in models_of(models) if reference and _is_reference(reference, model, f"{model}/chat")]
    return open_results(known, question, template="chat", **about) if known else {}


def open_example() -> xr.DataArray:
    """States `[language, side, pair, d_model]` of some pairs, of a real model: what the worked chapter computes with.

    Raises BookError outside of a checkout.
    """
    with xr.open_dataset(repository() / "book" / "example.nc") as dataset:
        return dataset["state"].load()


def _kept(folder: Path, model: str, question: str) -> xr.Dataset | None:
    """What a collection of results has of a model; None for a question that was not asked of it."""
    path = result_path(folder, model, question)
    unasked = question == "control" or has_published(folder, model)
    return None if unasked and not path.is_file() else load(path)


def _computed(model: str, wanted: Profile, question: str, folder: Path, loading: Loading) -> xr.Dataset:
    """What a model's run of this size has found, computed if it is not known yet."""
    run, settings = (run_control, wanted.control) if question == "control" else (run_study, wanted.study)
    with _live() as progress:
        run(model, settings, folder, loading=loading, progress=progress)
    return load(place(model, settings, folder) / f"{question}.nc")


@contextmanager
def _live() -> Iterator[Progress]:
    """Progress as the only line of a cell's output, about once a second and gone at the end; nothing elsewhere."""
    said = -1.0

    def show(what: str, done: int, total: int) -> None:
        nonlocal said
        if (now := time.monotonic()) - said > 1:
            said = now
            clear_output(wait=True)
            print(f"{what}: {done} of {total}")

    try:
        yield show if hasattr(get_ipython(), "kernel") else silent
    finally:
        if said > 0:
            clear_output()


def _is_reference(folder: Path, model: str, name: str) -> bool:
    """Whether a folder has under `name` results of this very model: the preset of its name, and its weights."""
    preset, path = PRESETS.get(model), result_path(folder, name, "recognition")
    return preset is not None and path.is_file() and load(path).attrs["weights"] == identity(model)


def open_ledger(models: str, **asked) -> Ledger:
    """Verdicts on all claims about the models; computes what `open_results` would, with its keywords."""
    return judged(*(open_results(models, question, **asked) for question in ("recognition", "consistency", "control")))
