"""The runs of a batch: each with a name, a folder, a key by which a done one is known, and a guess at its time."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import pandas as pd
from safetensors import SafetensorError, safe_open

from xlv import __version__
from xlv.batch.spec import Spec
from xlv.cache import EXTRACTOR, file_sha256, fingerprint, whole_file
from xlv.control.refusal import RULES_FINGERPRINT
from xlv.corpus.pairs import folder_fingerprint, full_texts
from xlv.edition.book import repository
from xlv.models.names import check_name, named
from xlv.models.weights import identity
from xlv.profiles import profile_of
from xlv.results import VERSION
from xlv.study import ANALYSIS, pairs_of

DONE, RESULTS = "done.json", "results/*/*/*.nc"  # in a run's folder
TEXTS = ("profile", "data", "languages", "concepts", "pairs")  # parameters by which runs read the same texts
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

    Raises ValueError for a matrix without runs or with two models of one name, and for models, profiles, concepts,
    languages and numbers of pairs that there are not: all before anything is computed.
    """
    every = [dict(zip(spec.matrix, values, strict=True)) for values in product(*spec.matrix.values())]
    runs = [_run(spec, one) for one in every if not any(entry.items() <= one.items() for entry in spec.exclude)]
    if not runs:
        raise ValueError("the matrix has no run left: exclude takes all of them out")
    models: dict[str, str] = {}
    for run in runs:
        if (other := models.setdefault(named(run.model).label, run.model)) != run.model:
            raise ValueError(f"{other} and {run.model} would be filed under one name: rename one of them")
    return runs


def _run(spec: Spec, chosen: dict[str, object]) -> Run:
    parameters, needs = {**spec.parameters, **chosen}, dict(spec.needs)
    if parameters.get("data"):
        parameters["data"] = str((spec.folder / Path(str(parameters["data"])).expanduser()).resolve())
    known = named(str(parameters["models"]))
    if known.preset is None and (path := spec.folder / known.path).exists():
        parameters["models"] = f"{known.label}={path.resolve()}"
    for entry in spec.overrides:
        needs |= entry["needs"] if entry["where"].items() <= chosen.items() else {}
    if "memory" in needs:  # such as 4 GB
        needs["memory"] = float(needs["memory"][:-2]) * 1000 ** " kmgt".index(needs["memory"][-2].lower())
    if "time" in needs:
        needs["time"] = pd.Timedelta(needs["time"]).total_seconds()
    check_name(model := str(parameters["models"]))
    size = {name: parameters[name] for name in (*TEXTS, "seed") if name in parameters}
    tokens = _tokens("q4_control" in spec.notebooks, **size)
    sources = [file_sha256(repository() / "notebooks" / f"{name}.ipynb") for name in spec.notebooks]
    corpus = folder_fingerprint(Path(size["data"]) if size.get("data") else None)
    kind = fingerprint(identity(model), corpus, sources, {**parameters, "seed": 0})
    key = fingerprint(kind, parameters.get("seed"), __version__, ANALYSIS, EXTRACTOR, RULES_FINGERPRINT, VERSION)
    varied = [name for name in chosen if name != "models" and len(spec.matrix[name]) > 1]
    variant = ", ".join(str(chosen[name]) if name == "profile" else f"{name} {chosen[name]}" for name in varied)
    name = re.sub(r"[^\w.@+=-]+", "-", f"{named(model).label} {variant}").strip("-")[:100]  # as a file may be called
    folder = spec.out / "runs" / f"{name}-{key[:8]}"
    parameters["results"] = str(folder / "results")
    return Run(name, model, variant, tuple(spec.notebooks), parameters, needs, key, kind, tokens, folder)


@cache
def _tokens(question_4: bool, **size: object) -> float:
    """Tokens of the distinct texts, and of question 4's main conditions; raises ValueError for a size that is none."""
    profile = profile_of(**size)
    texts, control = set(sum(full_texts(pairs_of(profile.study)), [])), profile.control
    found = sum(len(text.encode()) for text in texts) / BYTES_PER_TOKEN
    if question_4:  # harmful and harmless instructions, under no control and in two directions
        found += 2 * 3 * control.prompts * len(control.targets) * (INSTRUCTION_TOKENS + control.tokens)
    return found


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
