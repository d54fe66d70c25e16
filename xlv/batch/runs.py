"""The runs of a batch: each with a name, a folder, and a key by which a done one is known."""

import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from inspect import signature
from itertools import product
from pathlib import Path

import pandas as pd

from xlv import __version__
from xlv.batch.spec import Spec
from xlv.cache import EXTRACTOR, file_sha256, fingerprint, whole_file
from xlv.control.refusal import RULES_FINGERPRINT
from xlv.corpus.pairs import folder_fingerprint, pairs_of
from xlv.edition.book import repository
from xlv.models.names import check_name, from_anywhere, models_of, named
from xlv.models.weights import identity
from xlv.profiles import Profile, profile_of
from xlv.schema import VERSION
from xlv.study import ANALYSIS, check_control

DONE, RESULTS = "done.json", "results/*/*/*.nc"  # in a run's folder
MARK = ".batch"  # in the folder of a batch: its lock
MOST = 5_000  # combinations of a matrix
TEXTS = ("profile", "data", "languages", "concepts", "cohort", "pairs")  # parameters by which runs read the same texts


@dataclass(frozen=True)
class Run:
    """One combination of a matrix. `variant` names what differs from other runs besides the model; `needs` are in bytes
    and seconds; `key` is the hash of all that the results depend on. The folder holds `results`, a folder `attempt-N`
    per attempt, and once done a record."""

    name: str
    model: str
    variant: str
    notebooks: tuple[str, ...]
    parameters: Mapping[str, object]
    needs: Mapping[str, float]
    key: str
    folder: Path

    def attempts(self) -> int:
        """How many attempts have begun."""
        return len(list(self.folder.glob("attempt-*")))

    def record(self) -> dict | None:
        """What is known of the run if it is done: its key is right and its results are those that it wrote."""
        with suppress(OSError, ValueError, KeyError, AttributeError):
            record = json.loads((self.folder / DONE).read_text(encoding="utf-8"))
            sound = all(file_sha256(self.folder / name) == sha for name, sha in record["files"].items())
            return record if sound and record["key"] == self.key else None

    def keep(self, **about: object) -> None:
        """Record that the run is done, with what is known of it and the hashes of its results."""
        files = {str(path.relative_to(self.folder)): file_sha256(path) for path in self.folder.glob(RESULTS)}
        with whole_file(self.folder / DONE) as temporary:
            record = {"key": self.key, "xlv": __version__, **about, "files": files}
            temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")


def plan(spec: Spec) -> list[Run]:
    """The runs of a spec in the order of its matrix.

    Raises ValueError for a matrix with no run or too many, two runs or models of one name, models, profiles, concepts,
    languages and numbers of pairs that there are not, and a folder `out` that is not a batch's own: all before anything
    is computed.
    """
    if (count := math.prod(map(len, spec.matrix.values()))) > MOST:
        raise ValueError(f"the matrix has {count:,} combinations: expected at most {MOST:,}, else several batches")
    every = [dict(zip(spec.matrix, values, strict=True)) for values in product(*spec.matrix.values())]
    runs = [_run(spec, one) for one in every if not any(entry.items() <= one.items() for entry in spec.exclude)]
    if not runs:
        raise ValueError("the matrix has no run left: exclude takes all of them out")
    models_of(tuple(dict.fromkeys(run.model for run in runs)))
    names = Counter(run.name.casefold() for run in runs)
    if twice := [run.name for run in runs if names[run.name.casefold()] > 1]:
        raise ValueError(f"two runs are called {twice[0]}: name other models or folders, or leave one of them out")
    _check_folder(spec.out, {Path(run.parameters.get("data") or "/dev/null") for run in runs})
    return runs


def _check_folder(out: Path, corpora: set[Path]) -> None:
    """Raise ValueError unless a batch can have the folder to itself: what others put there would be executed."""
    root, place = repository().resolve(), next(path for path in (out, *out.parents) if path.exists())
    state, by_all = place.stat(), stat.S_IWOTH if place == out else stat.S_IWOTH | stat.S_ISVTX
    if any(map(out.is_relative_to, corpora | {root / "book", root / "notebooks"})):
        raise ValueError(f"out is {out}, among what the runs read: name a folder elsewhere")
    if place == out and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"out is {out}, which holds other things: name a folder that is new or empty")
    if state.st_uid not in (0, os.getuid()) or state.st_mode & by_all == stat.S_IWOTH:
        raise ValueError(f"out is {out}, but other users can change {place}: name a folder of your own")


def _run(spec: Spec, chosen: dict[str, object]) -> Run:
    parameters, needs = {**spec.parameters, **chosen}, dict(spec.needs)
    if parameters.get("data"):
        parameters["data"] = str((spec.folder / os.path.expanduser(str(parameters["data"]))).resolve())
    parameters["models"] = from_anywhere(str(parameters["models"]), spec.folder)
    for entry in spec.overrides:
        needs |= entry["needs"] if entry["where"].items() <= chosen.items() else {}
    if "memory" in needs:  # such as 4 GB
        needs["memory"] = float(needs["memory"][:-2]) * 1000 ** " kmgt".index(needs["memory"][-2].lower())
    if "time" in needs:
        needs["time"] = pd.Timedelta(needs["time"]).total_seconds()
    check_name(model := str(parameters["models"]))
    size = {name: parameters[name] for name in signature(profile_of).parameters.keys() & parameters}
    corpus = _corpus(profile_of(**size | {"seed": 0}), "q4_control" in spec.notebooks)
    sources = [file_sha256(repository() / "notebooks" / f"{name}.ipynb") for name in spec.notebooks]
    versions = __version__, ANALYSIS, EXTRACTOR, RULES_FINGERPRINT, VERSION
    key = fingerprint(identity(model), corpus, sources, parameters, *versions)
    varied = [name for name in sorted(chosen, key="seed".__eq__) if name != "models" and len(spec.matrix[name]) > 1]
    variant = ", ".join(str(chosen[name]) if name == "profile" else f"{name} {chosen[name]}" for name in varied)
    name = re.sub(r"[^\w.@+-]+", "-", f"{named(model).label} {variant}").strip("-")[:100]  # as a file may be called
    folder = spec.out / "runs" / f"{name}-{key[:8]}"
    parameters["results"] = str(folder / "results")
    return Run(name, model, variant, tuple(spec.notebooks), parameters, needs, key, folder)


@cache
def _corpus(profile: Profile, question_4: bool) -> str:
    """A fingerprint of the corpus; raises ValueError where it lacks what is asked for."""
    pairs_of(profile.study)
    if question_4:
        check_control(profile.control)
    return folder_fingerprint(profile.study.folder)
