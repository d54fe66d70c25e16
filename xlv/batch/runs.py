"""The runs of a batch: each with a name, a folder, a key by which a done one is known, and a guess at its time."""

import json
import math
import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from inspect import signature
from itertools import product
from pathlib import Path

import pandas as pd
from safetensors import SafetensorError, safe_open

from xlv import __version__
from xlv.batch.spec import Spec
from xlv.cache import EXTRACTOR, file_sha256, fingerprint, whole_file
from xlv.control.refusal import RULES_FINGERPRINT
from xlv.corpus.pairs import folder_fingerprint, full_texts, pairs_of
from xlv.edition.book import repository
from xlv.models.names import check_name, from_anywhere, models_of, named
from xlv.models.weights import identity
from xlv.profiles import Profile, profile_of
from xlv.questions.recognition.tables import own_estimate
from xlv.results import load
from xlv.schema import VERSION
from xlv.study import ANALYSIS, check_control

DONE, RESULTS = "done.json", "results/*/*/*.nc"  # in a run's folder
MARK = ".batch"  # in the folder of a batch: its lock
MOST = 5_000  # combinations of a matrix
TEXTS = ("profile", "data", "languages", "concepts", "cohort", "pairs")  # parameters by which runs read the same texts
RATE = 3e10  # operations per second, roughly those of two processor cores in fp32
BYTES_PER_TOKEN, INSTRUCTION_TOKENS, NOTEBOOK_SECONDS = 4, 25, 10  # roughly


@dataclass(frozen=True)
class Run:
    """One combination of a matrix. `variant` names what differs from other runs besides the model; `needs` are in bytes
    and seconds; `key` is the hash of all that the results depend on, `kind` of all but seed and version; `tokens` are
    read and written, roughly. The folder holds `results`, a folder `attempt-N` per attempt, and once done a record."""

    name: str
    model: str
    variant: str
    notebooks: tuple[str, ...]
    parameters: Mapping[str, object]
    needs: Mapping[str, float]
    key: str
    kind: str
    tokens: float
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
            record = {"key": self.key, "kind": self.kind, "xlv": __version__, **about, "files": files}
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
    tokens, corpus = _texts("q4_control" in spec.notebooks, profile_of(**size | {"seed": 0}))
    sources = [file_sha256(repository() / "notebooks" / f"{name}.ipynb") for name in spec.notebooks]
    kind = fingerprint(identity(model), corpus, sources, {**parameters, "seed": 0})
    key = fingerprint(kind, parameters.get("seed"), __version__, ANALYSIS, EXTRACTOR, RULES_FINGERPRINT, VERSION)
    varied = [name for name in sorted(chosen, key="seed".__eq__) if name != "models" and len(spec.matrix[name]) > 1]
    variant = ", ".join(str(chosen[name]) if name == "profile" else f"{name} {chosen[name]}" for name in varied)
    name = re.sub(r"[^\w.@+-]+", "-", f"{named(model).label} {variant}").strip("-")[:100]  # as a file may be called
    folder = spec.out / "runs" / f"{name}-{key[:8]}"
    parameters["results"] = str(folder / "results")
    return Run(name, model, variant, tuple(spec.notebooks), parameters, needs, key, kind, tokens, folder)


def write_table(folder: Path, runs: Sequence[Run], failed: Mapping[str, str]) -> None:
    """Write `runs.csv`: per run its state, mean accuracy of own vectors under `cv`, parameters and place of results."""
    rows = []
    for run in runs:
        row = {"run": run.name, "state": "failed" if run.name in failed else "not run", "accuracy": None}
        row |= {**run.parameters, "results": ""}
        for path in run.folder.glob(RESULTS) if run.record() else ():
            row |= {"state": "done", "results": path.parent.relative_to(folder)}
            row |= {"accuracy": own_estimate(load(path)).value.mean()} if path.stem == "recognition" else {}
        rows.append(row)
    with whole_file(folder / "runs.csv") as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


@cache
def _texts(question_4: bool, profile: Profile) -> tuple[float, str]:
    """Tokens of the distinct texts and of question 4's main conditions, and a fingerprint of the corpus.

    Raises ValueError where the corpus lacks what is asked for."""
    texts, control = set(sum(full_texts(pairs_of(profile.study)), [])), profile.control
    found = sum(len(text.encode()) for text in texts) / BYTES_PER_TOKEN
    if question_4:  # harmful and harmless instructions, under no control and in two directions
        check_control(control)
        found += 2 * 3 * control.prompts * len(control.targets) * (INSTRUCTION_TOKENS + control.tokens)
    return found, folder_fingerprint(profile.study.folder)


def estimate(runs: Sequence[Run]) -> dict[str, tuple[float | None, str]]:
    """Seconds that each run may take, by name, and what says so: earlier runs of its kind in the batch's folder, else
    two operations per parameter and token at RATE. None where the size of the model is unknown."""
    earlier, found = defaultdict(list), {}
    for path in runs[0].folder.parent.glob(f"*/{DONE}"):
        with suppress(OSError, ValueError, KeyError):  # a damaged record says nothing
            record = json.loads(path.read_text(encoding="utf-8"))
            earlier[record["kind"]].append(record["seconds"])
    for run in runs:
        size = parameter_count(run.model)
        seconds = size and 2 * size * run.tokens / RATE + NOTEBOOK_SECONDS * len(run.notebooks)
        basis = f"{size / 1e6:,.1f} M parameters, {run.tokens:,.0f} tokens" if size else "unknown size of model"
        if run.kind in earlier:
            seconds, basis = float(pd.Series(earlier[run.kind]).median()), "the same run before"
        found[run.name] = seconds, basis
    return found


def parameter_count(model: str) -> float | None:
    """Parameters of a model: of a folder as its safetensors files say, else as its name says; None if neither does."""
    total = 0.0
    found = named(model)
    for path in found.path.glob("*.safetensors"):
        with suppress(SafetensorError, OSError), safe_open(path, "np") as stored:
            total += sum(math.prod(stored.get_slice(name).get_shape()) for name in stored.keys())
    name = Path(found.preset.hub if found.preset else found.name).name
    sizes = re.findall(r"(?<![\w.])(\d+(?:[._]\d+)?)(b|m)(\d*)(?![a-z])", name.lower().replace("_", "."))
    if total or not sizes:
        return total or None
    number, unit, rest = sizes[-1]
    return float(f"{number}.{rest}" if rest else number) * {"b": 1e9, "m": 1e6}[unit]
