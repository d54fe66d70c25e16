"""The authors' result files, `res/{model}/{concept}/acc.pk` and `reader_dict.pk`, read into datasets.

They are pickles. They are read by PyTorch's `weights_only` loader, which runs nothing a file asks for; the authors'
reader objects become inert stand-ins, and a file that names anything else is refused.
"""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy._core.multiarray import _reconstruct, scalar  # NumPy 1.26 has them here, too

from xlv.cache import file_sha256, fingerprint
from xlv.results import ResultsError

_READERS = ("ClusterMeanRepReader", "PCARepReader", "RandomRepReader")
_DTYPES = ("float16", "float32", "float64", "int32", "int64", "bool")
_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_LANGUAGES = "language codes such as 'en'", lambda keys: all(type(c) is str and _CODE.fullmatch(c) for c in keys)
_LAYERS = "layers 1 … L in order", lambda keys: keys == list(range(1, len(keys) + 1))


class _Reader:
    """Stands where a reader class of the authors' stood: it holds attributes and can do nothing."""


class Published(NamedTuple):
    """Results of the model of a `folder` in `res`; `stamp` is the fingerprint of its `acc.pk` files. `recognition` has
    accuracies under protocol `paper`, nothing about single pairs; `consistency` plain cosines, None without vectors."""

    folder: str
    stamp: str
    recognition: xr.Dataset
    consistency: xr.Dataset | None


def read_inert(path: Path) -> object:
    """The content of a file of `torch.save`, without running any of it.

    Raises ResultsError for another or a damaged file, and one that names more than numbers, arrays and readers.
    """
    import torch

    names = [(f, f"numpy.{core}.multiarray.{f.__name__}") for f in (_reconstruct, scalar) for core in ("core", "_core")]
    names += [(_Reader, f"repe.rep_readers.{name}") for name in _READERS]
    safe = [*names, np.ndarray, np.dtype, *(type(np.dtype(name)) for name in _DTYPES)]
    try:
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals(safe):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a crafted or damaged file can raise has no end
        fault = f"is damaged or was not written by torch.save ({type(error).__name__}): download it again"
        if named := re.search(r"GLOBAL ([\w.]+)", str(error)):
            fault = f"names {named.group(1)!r}, which no file of results needs: refused, and nothing of it was run"
        raise ResultsError(f"{path} {fault}") from None


def _keyed(value: object, path: Path, form: tuple[str, Callable[[list], bool]]) -> dict:
    """A dictionary, if its keys are languages, or layers in order."""
    expected, fits = form
    if type(value) is not dict or not value or not fits([*value]):
        raise ResultsError(f"{path}: expected a dictionary by {expected}, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:60]}"


def read_accuracy(path: Path) -> xr.DataArray:
    """Accuracies `[source, target, layer]` of an `acc.pk`, {source: {target: {layer: accuracy}}}, or ResultsError."""
    table = {
        source: _keyed(row, path, _LANGUAGES) for source, row in _keyed(read_inert(path), path, _LANGUAGES).items()
    }
    if odd := [source for source, row in table.items() if {*row} != {*table}]:
        raise ResultsError(f"{path}: the targets of {odd[0]!r} are not the languages of the file")
    cells = [[[*_keyed(row[target], path, _LAYERS).values()] for target in table] for row in table.values()]
    if len({len(cell) for row in cells for cell in row}) != 1:
        raise ResultsError(f"{path}: the languages do not have the same number of layers")
    for value in (value for row in cells for cell in row for value in cell):
        if not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
            raise ResultsError(f"{path}: expected accuracies from 0 to 1, got {_shown(value)}")
    names = {"source": [*table], "target": [*table], "layer": range(1, len(cells[0][0]) + 1)}
    return xr.DataArray(cells, coords=names, dims=[*names]).astype(float)


def read_cosines(path: Path, accuracy: xr.DataArray) -> xr.DataArray:
    """Cosines of a `reader_dict.pk`, {language: reader with `directions`}, for `accuracy`'s cells, or ResultsError."""
    readers, codes = _keyed(read_inert(path), path, _LANGUAGES), accuracy["source"].values
    if absent := sorted({*codes} - {*readers}):
        raise ResultsError(f"{path} lacks the language {absent[0]!r} of acc.pk")
    units = np.stack([_units(readers[code], path, accuracy.sizes["layer"]) for code in codes])
    return accuracy.copy(data=np.einsum("sld,tld->stl", units, units))


def _units(reader: object, path: Path, n_layers: int) -> np.ndarray:
    """A reader's directions `[layer, d_model]` at length 1."""
    if type(reader) is not _Reader:
        raise ResultsError(f"{path}: expected a reader, got {_shown(reader)}")
    arrays = [*_keyed(vars(reader).get("directions"), path, _LAYERS).values()]
    if len(arrays) != n_layers:
        raise ResultsError(f"{path}: expected directions of {n_layers} layers, as in acc.pk")
    for array in arrays:
        if type(array) is not np.ndarray or array.dtype.kind != "f" or array.shape != (1, arrays[0].size):
            raise ResultsError(f"{path}: expected directions of shape (1, d_model), got {type(array).__name__}")
    vectors = np.concatenate(arrays).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ResultsError(f"{path}: directions of length zero or with values that are not finite")
    return vectors / lengths


def read_model(folder: Path) -> Published:
    """All concepts of one model's folder; raises ResultsError for a file that is refused or does not fit the others."""
    paths = sorted(folder.glob("*/acc.pk"))
    first, *others = tables = [read_accuracy(path) for path in paths]
    for path, table in zip(paths[1:], others, strict=True):
        if set(table["source"].values) != set(first["source"].values) or table.shape != first.shape:
            raise ResultsError(f"{path} does not have the languages and layers of {paths[0]}")
    concepts = pd.Index([path.parent.name for path in paths], name="concept")
    accuracy = xr.concat([table.reindex_like(first) for table in tables], concepts)
    chosen = {"accuracy": accuracy.max("layer"), "chosen_layer": accuracy.argmax("layer") + 1}
    recognition = xr.Dataset({**chosen, "accuracy_by_layer": accuracy}).expand_dims(protocol=["paper"])
    consistency, readers = None, [path.with_name("reader_dict.pk") for path in paths]
    if all(path.is_file() for path in readers):
        consistency = xr.Dataset({"cosine": xr.concat([read_cosines(path, first) for path in readers], concepts)})
    return Published(folder.name, fingerprint([file_sha256(path) for path in paths]), recognition, consistency)


def read_results(res: Path) -> list[Published]:
    """Every model of the authors' folder `res`, or the one whose folder is given; ResultsError as in `read_model`."""
    folders = [res] if any(res.glob("*/acc.pk")) else sorted({path.parents[1] for path in res.glob("*/*/acc.pk")})
    if not folders:
        raise ResultsError(f"{res} holds no {{model}}/{{concept}}/acc.pk: expected the authors' folder res")
    return [read_model(folder) for folder in folders]
