"""The plan of a batch: its runs, each with a name, a folder and a key by which a done run is known."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from xlv import __version__
from xlv.batch.spec import Needs, Spec, SpecError
from xlv.cache import file_sha256, fingerprint
from xlv.control.refusal import RULES
from xlv.corpus.pairs import folder_fingerprint
from xlv.edition.book import repository
from xlv.edition.notebook import check_parameters, profile_of
from xlv.models.weights import check_name, identity, short_name
from xlv.results import SCHEMA
from xlv.study import ANALYSIS

DONE = "done.json"


@dataclass(frozen=True)
class Run:
    """One combination of a matrix: `parameters` are all that its notebooks get, `variant` names what differs from the
    other runs besides the model, and `key` is the hash of all that the results depend on.

    Its folder holds `results`, which attempts share, one folder `attempt-N` an attempt, and once done a record.
    """

    name: str
    model: str
    variant: str
    notebooks: tuple[str, ...]
    parameters: Mapping[str, object]
    needs: Needs
    key: str
    folder: Path

    @property
    def results(self) -> Path:
        """The folder with the results of the run's model."""
        return self.folder / "results" / short_name(self.model)

    def record(self) -> dict | None:
        """What is known of the run if it is done: its key is right and its results are those that it wrote."""
        try:
            record = json.loads((self.folder / DONE).read_text(encoding="utf-8"))
            sound = all(file_sha256(self.folder / name) == sha for name, sha in record["files"].items())
        except (OSError, ValueError, KeyError, AttributeError):
            return None
        return record if sound and record["key"] == self.key else None

    def attempts(self) -> list[Path]:
        """The folders of all attempts, in order."""
        return sorted(self.folder.glob("attempt-*"), key=lambda path: int(path.name.rpartition("-")[2]))


def plan(spec: Spec) -> list[Run]:
    """The runs of a spec in the order of its matrix.

    Raises SpecError for a matrix without runs or with two models of one name, and ValueError for models, profiles,
    concepts, languages and numbers of pairs that there are not: all before anything is computed.
    """
    runs, checked = [], set()
    for values in product(*spec.matrix.values()):
        chosen = dict(zip(spec.matrix, values, strict=True))
        if any(_fits(chosen, entry) for entry in spec.exclude):
            continue
        run = _run(spec, chosen)
        settings = fingerprint({name: v for name, v in run.parameters.items() if name not in ("models", "results")})
        if settings not in checked:
            check_parameters(dict(run.parameters))
            profile_of(dict(run.parameters)).study.table()
            checked.add(settings)
        runs.append(run)
    if not runs:
        raise SpecError("the matrix has no run left: exclude takes all of them out")
    models: dict[str, str] = {}
    for run in runs:
        if models.setdefault(short_name(run.model), run.model) != run.model:
            raise SpecError(
                f"{models[short_name(run.model)]} and {run.model} would be filed under one name: rename one of them"
            )
    return runs


def _fits(chosen: Mapping[str, object], entry: Mapping[str, object]) -> bool:
    return all(chosen[name] == value for name, value in entry.items())


def _run(spec: Spec, chosen: dict[str, object]) -> Run:
    model = str(chosen["models"])
    check_name(model)
    needs = spec.needs
    for where, other in spec.overrides:
        needs = needs.but(other) if _fits(chosen, where) else needs
    parameters = {
        "data": "",
        "profile": "full",
        "languages": "",
        "concepts": "",
        "pairs": 0,
        "seed": 0,
        **spec.parameters,
        **chosen,
    }
    sources = [file_sha256(repository() / "notebooks" / f"{name}.ipynb") for name in spec.notebooks]
    corpus = folder_fingerprint(Path(str(parameters["data"])) if parameters["data"] else None)
    key = fingerprint(identity(model), corpus, parameters, sources, __version__, ANALYSIS, RULES, SCHEMA)
    variant = ", ".join(
        str(value) if name == "profile" else f"{name} {value}"
        for name, value in chosen.items()
        if name != "models" and len(spec.matrix[name]) > 1
    )
    name = _file_name(short_name(model) + (f" {variant}" if variant else ""))
    folder = spec.out / "runs" / f"{name}-{key[:8]}"
    parameters["results"] = str(folder / "results")
    return Run(name, model, variant, spec.notebooks, parameters, needs, key, folder)


def _file_name(text: str) -> str:
    """A text as the name of a file, without what separates models in a notebook's parameter."""
    return re.sub(r"[^\w.@+=-]+", "-", text).strip("-")[:100]
