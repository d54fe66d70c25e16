"""Where results lie and whose they are: a folder per model and settings, and a store that all commands share."""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import xarray as xr

from xlv.cache import cache_root, whole_file
from xlv.corpus.pairs import folder_fingerprint
from xlv.models.names import named
from xlv.models.weights import identity, resolve
from xlv.profiles import key_of
from xlv.results import ResultsError, load, save
from xlv.settings import ControlSettings, Settings

Asked = Settings | ControlSettings


def place(model: str, settings: Asked, out: Path) -> Path:
    """The folder of a model's results under these settings, `{out}/{label}/{key}`; see `key_of`."""
    corpus_stamp = folder_fingerprint(settings.folder) if settings.folder else ""
    return Path(out) / named(model).label / key_of(whole(settings, model), corpus_stamp)


def whole(settings: Asked, model: str) -> Asked:
    """The settings with the model's own template where none is asked for."""
    preset = named(model).preset
    return replace(settings, template=settings.template or (preset.template if preset else "raw"))


def _stored(path: Path) -> Path:
    """Where results at `path` are kept besides, so that no command computes what another has."""
    return (cache_root() / "results").joinpath(*path.parts[-3:])


def known(path: Path, stamp: str, model: str, overwrite: bool) -> xr.Dataset | None:
    """Results of the model that were computed under the stamp, at `path` or in the store, from where they are copied.

    Raises ResultsError for a file at `path` that is damaged, foreign or of another model, unless it may be overwritten.
    """
    for place in dict.fromkeys((path, _stored(path))):
        if not place.exists():
            continue
        try:
            dataset = load(place)
            if not _is_of(dataset, model):
                raise ResultsError(f"{place} holds results of other weights: label this model, as in label={model}")
        except ResultsError as error:
            if place == path and not overwrite:
                raise ResultsError(f"{error}, or say --overwrite") from None
            continue
        if dataset.attrs["stamp"] == stamp:
            for other in (path, _stored(path)):
                if not other.exists() or (other == path and place != path):
                    _copy(place, other)
            return dataset
    return None


def _is_of(dataset: xr.Dataset, model: str) -> bool:
    same = dataset.attrs["identity"] == identity(model)
    return same or (named(model).path.exists() and dataset.attrs["weights"] == resolve(model).fingerprint)


def _copy(source: Path, path: Path) -> None:
    with whole_file(path) as temporary:
        shutil.copyfile(source, temporary)


def keep(dataset: xr.Dataset, path: Path, provenance: Mapping[str, object], model: str) -> None:
    """Save results at `path` and in the store, unless another model's are there."""
    save(dataset, path, provenance)
    place = _stored(path)
    with suppress(ResultsError):  # damaged ones stay, too, until they are looked at
        if place != path and (not place.exists() or _is_of(load(place), model)):
            _copy(path, place)


def said(settings: Asked) -> str:
    """All settings as JSON; of a corpus folder its name, for what it holds is fingerprinted by itself."""
    data = settings.folder.resolve().name if settings.folder else ""
    return json.dumps(asdict(settings) | {"data": data}, sort_keys=True, ensure_ascii=False)


def provenance_of(model: str, stamp: str, weights: str, texts: str, settings: Asked) -> dict[str, object]:
    found = named(model)
    about = {"model": found.label, "title": found.title, "preset": found.preset.name if found.preset else ""}
    about |= {"weights": weights, "identity": identity(model), "revision": found.revision or ""}
    how = {name: getattr(settings, name, "first") for name in ("dtype", "template", "seed", "cohort")}
    return {**about, **how, "settings": said(settings), "corpus": texts, "stamp": stamp}
