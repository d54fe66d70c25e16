"""A batch's spec: a YAML file, read strictly, so that a typing error is refused before anything starts."""

import ast
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Self

import papermill
import yaml

from xlv.edition.book import repository

QUESTIONS = ("q1_recognition", "q2_consistency", "q3_transfer", "q4_control")
_KEYS = ("out", "notebooks", "matrix", "exclude", "parameters", "needs", "overrides", "retries", "book")
_BYTES = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


class SpecError(ValueError):
    """A spec that is not one; the message says where, what was expected and what was got."""


@dataclass(frozen=True)
class Needs:
    """What a run needs: `memory` in bytes and `gpus`, both by which workers are chosen; `time`, the limit of an attempt
    in seconds; `threads` of computation. None: not said (GPUs: whatever the worker sees)."""

    memory: int | None = None
    gpus: int | None = None
    time: float | None = None
    threads: int | None = None

    def but(self, other: Self) -> Self:
        """These needs with what `other` says in place of what they say."""
        said = {f.name: getattr(other, f.name) for f in fields(other) if getattr(other, f.name) is not None}
        return replace(self, **said)


@dataclass(frozen=True)
class Spec:
    """A batch as asked for: every combination of the `matrix`'s values is a run, except those that match an entry of
    `exclude`; a run executes the `notebooks` with its combination and the common `parameters`. Entries of `overrides`
    give the runs that match them other needs. Paths are absolute."""

    out: Path
    matrix: Mapping[str, tuple[object, ...]]
    notebooks: tuple[str, ...] = QUESTIONS
    exclude: tuple[Mapping[str, object], ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    needs: Needs = Needs()
    overrides: tuple[tuple[Mapping[str, object], Needs], ...] = ()
    retries: int = 0
    book: bool = True


class _Loader(yaml.SafeLoader):
    """YAML without the silent loss of a key that is given twice."""

    def construct_mapping(self, node, deep=False):
        """Build a mapping; raises SpecError for a repeated key."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise SpecError(f"{key!r} is given twice: keep one of them")
        return super().construct_mapping(node, deep)


def read_spec(path: Path) -> Spec:
    """Read and check a spec; relative paths in it start at its own folder. Raises SpecError."""
    if not path.is_file():
        raise SpecError(f"no file {path}: give the path of a spec, see the page on batch runs")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None
    try:
        return _spec(_mapping(content, "the spec"), path.resolve())
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None


def _spec(content: dict, path: Path) -> Spec:
    _known(content, _KEYS, "key")
    notebooks = tuple(_list(content.get("notebooks", list(QUESTIONS)), "notebooks"))
    defaults = _parameters(notebooks)
    matrix = {
        name: tuple(_list(values, f"matrix: {name}"))
        for name, values in _mapping(content.get("matrix"), "matrix").items()
    }
    common = _mapping(content.get("parameters", {}), "parameters")
    _known([*matrix, *common], defaults, "parameter")
    if "models" not in matrix:
        raise SpecError("matrix: expected models, a list of at least one")
    for name in set(matrix) & set(common):
        raise SpecError(f"{name!r} stands in matrix and in parameters: keep one of them")
    for name, values in matrix.items():
        matrix[name] = tuple(_value(name, value, defaults, path.parent) for value in values)
        _distinct(matrix[name], name)
    common = {name: _value(name, value, defaults, path.parent) for name, value in common.items()}
    chosen = [
        _match(entry, "exclude", matrix, defaults, path.parent)
        for entry in _list(content.get("exclude", []), "exclude", empty=True)
    ]
    overrides = []
    for entry in _list(content.get("overrides", []), "overrides", empty=True):
        _known(_mapping(entry, "overrides"), ("where", "needs"), "key of overrides")
        where = _match(entry.get("where"), "overrides: where", matrix, defaults, path.parent)
        overrides.append((where, _needs(entry.get("needs"), "overrides: needs")))
    out = content.get("out", f"build/{path.stem}")
    if not isinstance(out, str):
        raise SpecError(f"out: expected a folder, got {out!r}")
    return Spec(
        (path.parent / Path(out).expanduser()).resolve(),
        matrix,
        notebooks,
        tuple(chosen),
        common,
        _needs(content.get("needs", {}), "needs"),
        tuple(overrides),
        _count(content.get("retries", 0), "retries"),
        _flag(content.get("book", True), "book"),
    )


def _known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
            raise SpecError(f"unknown {what} {name!r}: {hint}")


def _mapping(value: object, what: str) -> dict:
    if not isinstance(value, dict):
        raise SpecError(f"{what}: expected names with values, got {value!r}")
    return value


def _list(value: object, what: str, *, empty: bool = False) -> list:
    if not isinstance(value, list) or not (value or empty):
        raise SpecError(f"{what}: expected a list{'' if empty else ' of at least one'}, such as [a, b], got {value!r}")
    return value


def _distinct(values: tuple[object, ...], name: str) -> None:
    for value in values:
        if values.count(value) > 1:
            raise SpecError(f"matrix: {name} has {value!r} twice")


def _count(value: object, what: str, low: int = 0) -> int:
    if type(value) is not int or value < low:
        raise SpecError(f"{what}: expected a whole number from {low}, got {value!r}")
    return value


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise SpecError(f"{what}: expected true or false, got {value!r}")
    return value


def _parameters(notebooks: tuple[str, ...]) -> dict[str, object]:
    """Defaults of the parameters that every one of the notebooks has, but `results`, which the batch sets."""
    folder, common = repository() / "notebooks", None
    for name in notebooks:
        if not (folder / f"{name}.ipynb").is_file():
            known = ", ".join(sorted(path.stem for path in folder.glob("*.ipynb")))
            raise SpecError(f"unknown notebook {name!r}: choose from {known}")
        found = papermill.inspect_notebook(str(folder / f"{name}.ipynb"))
        defaults = {key: ast.literal_eval(str(about["default"])) for key, about in found.items()}
        common = defaults if common is None else {k: v for k, v in common.items() if k in defaults}
    return {name: value for name, value in common.items() if name != "results"}


def _value(name: str, value: object, defaults: dict[str, object], folder: Path) -> object:
    """A parameter's value, of its default's type; a path that starts at the spec's folder is made absolute."""
    kind = type(defaults[name])
    if type(value) is not kind:
        hint = "; put it in quotes" if kind is str and not isinstance(value, (list, dict)) else ""
        raise SpecError(f"the parameter {name!r} is {value!r}, expected {kind.__name__}{hint}")
    if name == "models" and ("," in value or not value.strip()):
        raise SpecError(f"models: expected one model an entry, got {value!r}")
    if name in ("models", "data") and value:
        path = folder / Path(value).expanduser()
        return str(path.resolve()) if path.exists() else value
    return value


def _match(entry: object, what: str, matrix: dict, defaults: dict, folder: Path) -> dict[str, object]:
    """Values of the matrix that pick runs; one that is not in the matrix would pick none, and is refused."""
    if not _mapping(entry, what):
        raise SpecError(f"{what}: an empty entry matches every run; name a value of the matrix")
    _known(entry, matrix, f"name in {what}")
    wanted = {name: _value(name, value, defaults, folder) for name, value in entry.items()}
    for name, value in wanted.items():
        if value not in matrix[name]:
            raise SpecError(f"{what}: {value!r} is not among the values of {name} in the matrix")
    return wanted


def _needs(value: object, what: str) -> Needs:
    given = _mapping(value, what)
    _known(given, [f.name for f in fields(Needs)], f"key of {what}")
    memory, time = (
        _measure(given.get(name), f"{what}: {name}", units) for name, units in (("memory", _BYTES), ("time", _SECONDS))
    )
    gpus, threads = (
        None if given.get(name) is None else _count(given[name], f"{what}: {name}", low)
        for name, low in (("gpus", 0), ("threads", 1))
    )
    return Needs(None if memory is None else int(memory), gpus, time, threads)


def _measure(value: object, what: str, units: dict[str, float]) -> float | None:
    """A number with its unit, such as `16 GB` or `90 min`."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]+)", str(value).strip().lower())
    if not found or found[2] not in units or float(found[1]) <= 0:
        raise SpecError(f"{what}: expected a number with a unit ({', '.join(units)}), got {value!r}")
    return float(found[1]) * units[found[2]]
