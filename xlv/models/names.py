"""How a model is named: `label=name@revision`, the name being one of a preset, a Hub id, a folder or a `.gguf` file."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xlv.models.advice import ModelError
from xlv.models.files import check_adapter
from xlv.models.gguf_header import is_gguf, stem
from xlv.models.presets import PRESETS, Preset, caption
from xlv.profiles import names
from xlv.settings import NO_NAME


@dataclass(frozen=True)
class Named:
    """A model's name in its parts. `label` is what its results are filed under, `title` what figures call it."""

    label: str
    title: str
    name: str
    revision: str | None
    preset: Preset | None

    @property
    def path(self) -> Path:
        """The name as a path, which need not exist."""
        return _path(self.name)


def named(model: str) -> Named:
    """The parts of a model's name; nothing is looked for but the path. Raises ModelError for a label that will not do.

    Without a label it is the last part of the path or id, with the revision, if any. That of a preset is the preset's
    alone: another model of that name is called after its folder or owner, too.
    """
    if NO_NAME.search(model):
        raise ModelError(f"{model!r} names no model: expected no part of 256 characters, and none that are unprintable")
    label, mark, rest = model.partition("=")
    if not mark or _path(model).exists():
        label, rest = "", model
    elif not rest or not re.fullmatch(r"\w[\w.@+-]*", label) or label in PRESETS.keys() - {rest}:
        raise ModelError(f"{model!r}: expected label=model, the label of letters, digits, . _ - and no preset's name")
    name, mark, revision = rest.rpartition("@")
    if not mark or _path(rest).exists():
        name, revision = rest, None
    elif not name or not revision or re.search(r"[~^:?*[\\]", revision):  # which names no branch, tag or commit
        raise ModelError(f"{rest!r} names no revision: expected org/name@revision")
    preset, path = PRESETS.get(name), Path(name)
    if not label:
        if path.name in ("", "..", "."):
            path = path.resolve()
        label = name if preset else stem(path) if is_gguf(path) else path.name
        if preset is None and label in PRESETS:
            label = f"{path.absolute().parent.name}-{label}"
        if not label:
            raise ModelError(f"{model!r} has no name to file its results under: give it one, as in label={model}")
        label += f"@{revision.replace('/', '-')}" if revision else ""
    return Named(label, caption(label), name, revision, preset)


def models_of(models: str | Sequence[str]) -> tuple[str, ...]:
    """Several models, or their names separated by commas.

    Raises ModelError for none, for what is no name, and for two that would be filed under one label.
    """
    found: dict[str, str] = {}
    given = (names(models) or ()) if isinstance(models, str) else models
    if not isinstance(given, Sequence) or not all(isinstance(model, str) for model in given):
        hint = "papermill's -p makes numbers of names, its -r does not"
        raise ModelError(f"models are {models!r}, expected names; {hint}")
    for model in given:
        label = named(model).label
        if other := found.get(label):
            both = f"{model} is given twice" if other == model else f"{other} and {model} are both {label}"
            raise ModelError(f"{both}: name each model once, and label it where names meet, as in new={model}")
        found[label] = model
    if not found:
        raise ModelError("no model is named: expected at least one")
    return tuple(found.values())


def from_anywhere(model: str, folder: Path | str = "") -> str:
    """A model's name as given in a folder that means the same in every other: the whole of its path, the same label.

    Raises ModelError for a path with a comma, which separates models where several are named.
    """
    given = os.path.abspath(os.path.join(folder, _path(model)))
    found = named(given if model not in PRESETS and os.path.exists(given) else model)
    whole = os.path.abspath(os.path.join(folder, found.path))
    if found.preset or not os.path.exists(whole):
        return model
    if "," in whole:
        raise ModelError(f"{whole} has a comma, which separates models: rename that folder, or link to it elsewhere")
    return whole if named(whole).label == found.label else f"{found.label}={whole}"


def _path(name: str) -> Path:
    return Path(os.path.expanduser(name))  # pathlib's raises for a user who is not known


def check_name(model: str) -> Named:
    """The parts of the name of what can be a model; nothing is fetched.

    Raises ModelError for a name that is none of those, a folder that holds no model, or a revision of what is not on
    the Hub.
    """
    found = named(model)
    name, path = found.name, found.path
    if found.revision and (path.exists() or (found.preset is not None and found.preset.embedded)):
        raise ModelError(f"{name} has no revisions: only models of the Hub have; leave out @{found.revision}")
    if found.preset is not None:
        return found
    if is_gguf(path) and not path.is_file():
        raise ModelError(f"no file {path}: give the path of an existing .gguf file")
    if path.is_dir():
        check_adapter(path)
    if path.is_dir() and not (path / "config.json").is_file():
        gguf = next((file for file in sorted(path.iterdir()) if is_gguf(file)), None)
        remedy = f"give {gguf}" if gguf else "expected a folder written by `save_pretrained`"
        raise ModelError(f"{path} holds no config.json: {remedy}")
    on_hub = re.fullmatch(r"\b[\w.-]{1,96}\b/\b[\w.-]{1,96}\b", name, re.ASCII) and ".." not in name
    if path.is_dir() or is_gguf(path) or on_hub:
        return found
    raise ModelError(
        f"unknown model {name!r}: give a name that `xlv models` lists, a Hugging Face id such as `org/name`, an "
        "existing folder or a .gguf file"
    )
