"""Results on disk: netCDF files that hold what `schema` declares, each written whole or not at all.

A file ends in the SHA-256 of the rest, which readers of netCDF pass over.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from xlv import __version__
from xlv.cache import file_sha256, whole_file
from xlv.schema import ATTRIBUTES, COORDINATES, COUNTED, DONE, HEADLINES, MEASURED, SCHEMA, VERSION

_SEAL = b"\nxlv-sha256:"
Results = Mapping[str, xr.Dataset]  # one dataset per model


class ResultsError(ValueError):
    """Results that are missing, unreadable or not what they should be; the message says what to do."""


def result_path(folder: Path, name: str, question: str) -> Path:
    """Where results of a question lie, by label and key of the settings: `{folder}/{label}/{key}/{question}.nc`."""
    return Path(folder) / name / f"{question}.nc"


def check(dataset: xr.Dataset, question: str) -> None:
    """Raise ResultsError unless the dataset holds what SCHEMA says of a question, with those dimensions."""
    if question not in SCHEMA:
        raise ResultsError(f"unknown question {question!r}: expected one of {', '.join(SCHEMA)}")
    for name, array in dataset.data_vars.items():
        declared = SCHEMA[question].get(str(name))
        if declared is None or declared.dims != array.dims:
            expected = f"the dimensions {declared.dims}" if declared else "no such variable"
            raise ResultsError(f"{question}: {name!r} has dimensions {array.dims}, expected {expected}")
        if array.dtype.kind not in "biuf" or (declared.unit == "share" and (np.abs(array.values - 0.5) > 0.501).any()):
            raise ResultsError(f"{question}: {name!r} holds what is no {declared.unit}")
    if HEADLINES[question] not in dataset:
        raise ResultsError(f"{question}: no variable {HEADLINES[question]!r}, which every such file has")
    for dim in sorted({*dataset.dims, *(DONE if question == "control" else ())} - COUNTED):
        labels = dataset[dim].values.tolist() if dim in dataset.coords else [None]
        typed = all(isinstance(label, int | float if dim in MEASURED else str) for label in labels)
        if not typed or (dim in dataset.dims and len(set(labels)) < len(labels)):
            raise ResultsError(f"{question}: no coordinate for {dim!r}, expected {COORDINATES.get(dim, 'names')}")


def save(dataset: xr.Dataset, path: Path, provenance: Mapping[str, object]) -> None:
    """Write the results of the question that the file is named after, with their provenance as attributes.

    Units and meanings go with the variables. Raises ResultsError for what SCHEMA does not declare.
    """
    check(dataset, path.stem)
    about = dict.fromkeys(ATTRIBUTES, "") | provenance
    dataset = dataset.assign_attrs(schema=VERSION, xlv=__version__, **about)
    encoding = {}
    for name, array in dataset.data_vars.items():
        declared = SCHEMA[path.stem][str(name)]
        array.attrs = {"units": declared.unit, "long_name": declared.meaning}
        if array.dtype.kind == "f":
            encoding[name] = {"zlib": True, "complevel": 9, "dtype": "float32"}
            if declared.digits is not None:  # finer ones are noise, and files larger
                encoding[name]["least_significant_digit"] = declared.digits
    with whole_file(path) as temporary:
        dataset.to_netcdf(temporary, engine="netcdf4", encoding=encoding)
        with open(temporary, "ab") as stream:
            stream.write(_SEAL + file_sha256(temporary).encode())


def load(path: Path | str) -> xr.Dataset:
    """Read a dataset into memory; raises ResultsError for one that is absent, changed, foreign or of another schema."""
    path = Path(path)
    if not os.path.isfile(path):  # of any name
        raise ResultsError(f"no results at {path}: expected a file that `xlv run` wrote, as {path.stem}.nc")
    content, mark, seal = path.read_bytes().rpartition(_SEAL)
    if not mark or hashlib.sha256(content).hexdigest().encode() != seal:
        raise ResultsError(
            f"{path} is damaged, or was not written by this version of xlv: take it away and run again; results of an "
            "earlier version are converted by scripts/convert_results.py"
        )
    try:
        dataset = xr.load_dataset(path, engine="netcdf4")
        if dataset.attrs.get("schema") != VERSION:
            raise ResultsError(f"it has schema {dataset.attrs.get('schema')}, expected {VERSION}")
        check(dataset, path.stem)
        if missing := [name for name in ATTRIBUTES if not isinstance(dataset.attrs.get(name), str)]:
            raise ResultsError(f"no attribute {missing[0]!r}, expected {ATTRIBUTES[missing[0]]}")
    except Exception as error:  # netCDF4 raises many kinds
        said = " ".join(str(error).split())
        raise ResultsError(f"{path} cannot be read ({said}): take it away and run again") from None
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
