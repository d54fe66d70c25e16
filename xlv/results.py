"""Results on disk: labelled arrays in netCDF, each file written whole or not at all."""

from pathlib import Path

import xarray as xr

from xlv import __version__
from xlv.cache import whole_file

SCHEMA = 3
# Decimals that are kept of large arrays: finer ones are noise, and files larger.
_DIGITS = {"readout": 3, "resampled": 4, "score": 3, "response_score": 3}


class ResultsError(ValueError):
    """Results that are missing or unreadable; the message says how to make them."""


def result_path(folder: Path, model: str, question: str) -> Path:
    """Where the results of a model and a question lie: `{folder}/{model}/{question}.nc`."""
    return folder / model / f"{question}.nc"


def save(dataset: xr.Dataset, path: Path, provenance: dict[str, str]) -> None:
    """Write a dataset with its provenance as attributes."""
    dataset = dataset.assign_attrs(schema=SCHEMA, xlv=__version__, **provenance)
    floats = [name for name, array in dataset.data_vars.items() if array.dtype.kind == "f"]
    encoding = {name: {"zlib": True, "complevel": 9, "dtype": "float32"} for name in floats}
    for name in _DIGITS.keys() & set(floats):
        encoding[name]["least_significant_digit"] = _DIGITS[name]
    with whole_file(path) as temporary:
        dataset.to_netcdf(temporary, engine="netcdf4", encoding=encoding)


def load(path: Path) -> xr.Dataset:
    """Read a dataset into memory; raises ResultsError for one that is absent, damaged or of another schema."""
    if not path.is_file():
        raise ResultsError(
            f"no results at {path}: make them with `xlv run {path.parent.name} --out {path.parent.parent}`"
        )
    try:
        dataset = xr.load_dataset(path, engine="netcdf4")
    except (OSError, ValueError, RuntimeError) as error:
        raise ResultsError(f"{path} cannot be read ({error}): delete it and run again") from None
    if dataset.attrs.get("schema") != SCHEMA:
        raise ResultsError(
            f"{path} has schema {dataset.attrs.get('schema')}, expected {SCHEMA}: it was written by another version "
            "of xlv; run again"
        )
    return dataset


def is_published(dataset: xr.Dataset) -> bool:
    """Whether results are the authors' own, imported: accuracies and vectors only, nothing about single pairs."""
    return "published" in dataset.attrs


def has_published(folder: Path, model: str) -> bool:
    """Whether the folder's results of a model are the authors' own, imported."""
    try:
        return is_published(load(result_path(folder, model, "recognition")))
    except ResultsError:
        return False


def matching(path: Path, settings: str) -> xr.Dataset | None:
    """The dataset at `path` if it is sound and was computed under this settings fingerprint, else None."""
    try:
        dataset = load(path)
    except ResultsError:
        return None
    return dataset if dataset.attrs.get("settings") == settings else None
