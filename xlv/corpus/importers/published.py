"""The authors' result files, `res/{model}/{concept}/acc.pk` and `reader_dict.pk`, turned into results of ours.

They are pickles. They are read by PyTorch's `weights_only` loader, which runs nothing a file asks for; the authors'
reader objects become inert stand-ins, and a file that names anything else is refused.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from xlv.cache import file_sha256, fingerprint
from xlv.models.presets import PRESETS, caption
from xlv.results import ResultsError, result_path, save

SUFFIX = "-published"
_READERS = ("ClusterMeanRepReader", "PCARepReader", "RandomRepReader")
_DTYPES = ("float16", "float32", "float64", "int32", "int64", "bool")
_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_RENAMED = {"qwen-chat-1b8": "qwen-chat-1.8b"}


class _Reader:
    """Stands where a reader class of the authors' stood: it holds attributes and can do nothing."""


@dataclass(frozen=True)
class Published:
    """One model's published results: `accuracy[concept, source, target, layer]`, and `cosine` if there are vectors."""

    name: str
    stamp: str
    concepts: list[str]
    languages: list[str]
    accuracy: np.ndarray
    cosine: np.ndarray | None


def _safe_globals() -> list:
    """What a file of results may name: NumPy's arrays under the names of NumPy 1 and 2, and the stand-ins."""
    multiarray = np._core.multiarray if hasattr(np, "_core") else np.core.multiarray
    functions = [
        (getattr(multiarray, name), f"numpy.{core}.multiarray.{name}")
        for name in ("_reconstruct", "scalar")
        for core in ("core", "_core")
    ]
    readers = [(_Reader, f"repe.rep_readers.{name}") for name in _READERS]
    return [*functions, *readers, np.ndarray, np.dtype, *(type(np.dtype(name)) for name in _DTYPES)]


def read_inert(path: Path) -> object:
    """The content of a file written by `torch.save`, without running any of it.

    Raises ResultsError for a file that names something else than numbers, arrays and the authors' readers, that is
    damaged, or that `torch.save` did not write.
    """
    import torch

    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_safe_globals()):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a crafted or damaged file can raise has no end
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named:
            raise ResultsError(
                f"{path} names {named.group(1)!r}, which no file of results needs: refused, and nothing of it was run"
            ) from None
        raise ResultsError(
            f"{path} is damaged or was not written by torch.save ({type(error).__name__}): download it again"
        ) from None


def _table(value: object, path: Path, what: str) -> Mapping:
    if type(value) is not dict or not value:
        raise ResultsError(f"{path}: expected a dictionary of {what}, got {type(value).__name__}")
    return value


def _layers(value: object, path: Path) -> list[int]:
    layers = list(_table(value, path, "layers"))
    if layers != list(range(1, len(layers) + 1)):
        raise ResultsError(f"{path}: expected the layers 1 … L in order, got {str(layers)[:60]}")
    return layers


def _languages(value: object, path: Path) -> list[str]:
    codes = list(_table(value, path, "languages"))
    for code in codes:
        if type(code) is not str or not _CODE.fullmatch(code):
            raise ResultsError(f"{path}: expected language codes such as 'en', got {str(code)[:40]!r}")
    return codes


def read_accuracy(path: Path) -> tuple[list[str], np.ndarray]:
    """Languages and accuracies `[source, target, layer]` of an `acc.pk`: {source: {target: {layer: accuracy}}}."""
    content = read_inert(path)
    languages = _languages(content, path)
    rows = []
    for source in languages:
        if set(_languages(content[source], path)) != set(languages):
            raise ResultsError(f"{path}: the targets of {source!r} are not the languages of the file")
        rows.append([_numbers(content[source][target], path) for target in languages])
    if len({len(cell) for row in rows for cell in row}) != 1:
        raise ResultsError(f"{path}: the languages do not have the same number of layers")
    return languages, np.array(rows)


def _numbers(cell: object, path: Path) -> list[float]:
    values = [cell[layer] for layer in _layers(cell, path)]
    for value in values:
        if not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
            raise ResultsError(f"{path}: expected accuracies from 0 to 1, got {type(value).__name__} {str(value)[:40]}")
    return [float(value) for value in values]


def read_directions(path: Path, languages: list[str], n_layers: int) -> np.ndarray:
    """Concept vectors `[language, layer, d_model]` of a `reader_dict.pk`: {language: reader with `directions`}."""
    content = read_inert(path)
    absent = sorted(set(languages) - set(_languages(content, path)))
    if absent:
        raise ResultsError(f"{path} lacks the language {absent[0]!r} of acc.pk")
    return np.stack([_vectors(content[code], path, n_layers) for code in languages])


def _vectors(reader: object, path: Path, n_layers: int) -> np.ndarray:
    if type(reader) is not _Reader:
        raise ResultsError(f"{path}: expected a reader, got {type(reader).__name__}")
    directions = vars(reader).get("directions")
    if len(_layers(directions, path)) != n_layers:
        raise ResultsError(f"{path}: expected directions of {n_layers} layers, as in acc.pk")
    arrays = list(directions.values())
    for array in arrays:
        if type(array) is not np.ndarray or array.dtype.kind != "f" or array.shape != (1, arrays[0].size):
            raise ResultsError(f"{path}: expected directions of shape (1, d_model), got {type(array).__name__}")
    vectors = np.concatenate(arrays).astype(np.float64)
    if not np.isfinite(vectors).all() or not (np.linalg.norm(vectors, axis=-1) > 0).all():
        raise ResultsError(f"{path}: directions of length zero or without end")
    return vectors


def read_model(folder: Path) -> Published:
    """All concepts of one model's folder; raises ResultsError for a file that is refused or does not fit the others."""
    paths = sorted(folder.glob("*/acc.pk"))
    found = [read_accuracy(path) for path in paths]
    languages, accuracy = found[0][0], []
    for path, (codes, values) in zip(paths, found, strict=True):
        if set(codes) != set(languages) or values.shape != found[0][1].shape:
            raise ResultsError(f"{path} does not have the languages and layers of {paths[0]}")
        order = [codes.index(code) for code in languages]
        accuracy.append(values[np.ix_(order, order)])
    readers = [path.with_name("reader_dict.pk") for path in paths]
    cosine = None
    if all(path.is_file() for path in readers):
        cosine = np.stack([_cosines(read_directions(path, languages, values.shape[-1])) for path in readers])
    name = folder.name.lower()
    return Published(
        name=_RENAMED.get(name, name) if _RENAMED.get(name, name) in PRESETS else folder.name,
        stamp=fingerprint([file_sha256(path) for path in paths]),
        concepts=[path.parent.name for path in paths],
        languages=languages,
        accuracy=np.stack(accuracy),
        cosine=cosine,
    )


def _cosines(vectors: np.ndarray) -> np.ndarray:
    """Cosine `[source, target, layer]` of vectors `[language, layer, d_model]`."""
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.einsum("sld,tld->stl", units, units)


def import_results(res: Path, out: Path) -> dict[str, Published]:
    """Read the authors' `res` folder, or one model's folder in it, and write results of ours; by the names to use.

    `recognition.nc` has protocol `paper` only and no pairs, `consistency.nc` the plain cosines, if the vectors are
    there. Every file is read and checked before any is written. Raises ResultsError as the readers do.
    """
    folders = [res] if any(res.glob("*/acc.pk")) else sorted({path.parents[1] for path in res.glob("*/*/acc.pk")})
    if not folders:
        raise ResultsError(f"{res} holds no {{model}}/{{concept}}/acc.pk: expected the authors' folder res")
    found = {f"{model.name}{SUFFIX}": model for model in map(read_model, folders)}
    for name, model in found.items():
        for question, dataset in _datasets(model).items():
            save(dataset, result_path(out, name, question), _provenance(model))
    return found


def _datasets(model: Published) -> dict[str, xr.Dataset]:
    places = ("concept", "source", "target")
    names = {
        "concept": model.concepts,
        "source": model.languages,
        "target": model.languages,
        "layer": np.arange(1, model.accuracy.shape[-1] + 1),
    }
    accuracy = model.accuracy[None]
    recognition = xr.Dataset(
        {
            "accuracy": (("protocol", *places, "layer"), accuracy),
            "chosen_layer": (("protocol", *places), accuracy.argmax(axis=-1) + 1),
        },
        coords={"protocol": ["paper"], **names},
    )
    if model.cosine is None:
        return {"recognition": recognition}
    return {
        "recognition": recognition,
        "consistency": xr.Dataset({"cosine": ((*places, "layer"), model.cosine)}, coords=names),
    }


def _provenance(model: Published) -> dict[str, str]:
    title = f"{caption(model.name)} (published)"
    preset = PRESETS.get(model.name)
    return {
        "settings": f"published {model.stamp}",
        "published": model.stamp,
        "model": model.name,
        "title": title,
        "weights": "",
        "revision": "",
        "corpus": "MVALUE",
        "dtype": "not stated",
        "template": preset.template if preset else "",
    }
