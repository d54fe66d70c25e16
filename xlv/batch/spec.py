"""A batch's spec: a YAML file, read strictly, so that a typing error is refused before anything starts."""

import ast
import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema
import papermill
import yaml
from jsonschema.exceptions import best_match

from xlv.edition.book import repository
from xlv.openings import StrictLoader

QUESTIONS = ("q1_recognition", "q2_consistency", "q3_transfer", "q4_control")
LARGEST = 50_000  # bytes of a spec


@dataclass(frozen=True)
class Spec:
    """A batch as asked for, by the keys that `schema.yaml` describes; `parameters` hold the notebooks' defaults too.
    Every combination of the `matrix`'s values is a run, except those that match an entry of `exclude`. Runs lie in
    `out`; relative paths of models and data start at `folder`."""

    folder: Path
    out: Path
    matrix: Mapping[str, list]
    parameters: Mapping[str, object]
    notebooks: Iterable[str] = QUESTIONS
    exclude: Iterable[Mapping[str, object]] = ()
    needs: Mapping[str, object] = field(default_factory=dict)
    overrides: Iterable[Mapping[str, Mapping[str, object]]] = ()
    retries: int = 0
    book: bool = True


def read_spec(path: Path) -> Spec:
    """Read and check a spec; raises ValueError in one line that says where, what was expected and what was found."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise ValueError(f"no spec at {path}: expected a file of at most {LARGEST:,} bytes, see the page on batch runs")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), StrictLoader)
        parameters, folder = _checked(content), path.resolve().parent
        out = (folder / os.path.expanduser(content.get("out", f"build/{path.stem}"))).resolve()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    return Spec(**content | {"folder": folder, "out": out, "parameters": parameters})


def _checked(content: object) -> dict[str, object]:
    """All common parameters of the spec's notebooks; raises ValueError for content against the schema."""
    schema = yaml.safe_load(Path(__file__).with_name("schema.yaml").read_text(encoding="utf-8"))
    parts, shared = schema["properties"], schema["$defs"]
    parts["notebooks"]["items"]["enum"] = sorted(path.stem for path in (repository() / "notebooks").glob("*.ipynb"))
    _check(content, schema)
    matrix, common = content["matrix"], content.get("parameters", {})
    folder = repository() / "notebooks"
    found = [papermill.inspect_notebook(str(folder / f"{name}.ipynb")) for name in content.get("notebooks", QUESTIONS)]
    known = [name for name in found[0] if name != "results" and all(name in one for one in found)]
    defaults = {name: ast.literal_eval(str(found[0][name]["default"])) for name in known}
    kinds = {name: shared["model" if name == "models" else type(value).__name__] for name, value in defaults.items()}
    parts["parameters"]["properties"] = kinds
    parts["matrix"]["properties"] = {name: {"items": kind} for name, kind in kinds.items()}
    shared["where"]["properties"] = {name: {"enum": values} for name, values in matrix.items()}
    for part in (parts["parameters"], parts["matrix"], shared["where"]):
        part["additionalProperties"] = False
    _check(content, schema)
    for name in set(matrix) & set(common):
        raise ValueError(f"{name!r} stands in matrix and in parameters: keep one of them")
    if content.get("book", True) and content.get("notebooks") == ["q4_control"]:
        raise ValueError(
            "book: it needs another question than q4_control too: add one to notebooks, or say book: false"
        )
    return defaults | common


def _check(content: object, schema: dict) -> None:
    if (error := best_match(jsonschema.Draft202012Validator(schema).iter_errors(content))) is None:
        return
    where = ": ".join(repr(part)[1:-1] for part in error.path if isinstance(part, str)) or "the spec"
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        name = next(name for name in error.instance if name not in known)
        near = difflib.get_close_matches(str(name), known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
        raise ValueError(f"{where}: unknown name {name!r:.200}: {hint}")
    expected = error.schema.get("description") or f"one of {', '.join(map(str, error.schema['enum']))}"
    raise ValueError(f"{where}: expected {expected:.200}, got {error.instance!r:.200}")
