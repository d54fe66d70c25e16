"""What a GGUF file says it holds, read without trust: never past its end, nothing allocated that it does not hold."""

import mmap
import re
import struct
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from xlv.models.advice import ModelError, listed

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_MOST = 1 << 22  # strings in an array: no vocabulary has more, nor merges
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)", re.IGNORECASE)


@dataclass(frozen=True)
class Tensor:
    """Where a tensor's `size` bytes begin in the file; its shape in PyTorch's order; its kind in ggml's numbers."""

    shape: tuple[int, ...]
    kind: int
    place: int
    size: int


@dataclass(frozen=True)
class Header:
    """A GGUF file's metadata (None for an array that is long or of strings), its tensors, where their table begins.

    `path` is the file that was named; `file`, of which the tensors are read, another where a split model was joined.
    """

    path: Path
    keys: dict[str, object]
    tensors: dict[str, Tensor]
    table: int
    file: Path

    def own_keys(self) -> dict[str, object]:
        """The keys of the model's architecture, without its name before them."""
        prefix = f"{self.keys.get('general.architecture')}."
        return {key.removeprefix(prefix): value for key, value in self.keys.items() if key.startswith(prefix)}

    def numbers(self, name: str) -> list[float]:
        """The values of an fp32 tensor, such as factors of frequencies; ModelError if it is of another kind."""
        tensor = self.tensors[name]
        if tensor.kind != GGMLQuantizationType.F32 or len(tensor.shape) != 1:
            raise ModelError(f"{self.path} cannot be read as a GGUF model: {name} is no list of fp32 numbers")
        return np.fromfile(self.file, "<f4", tensor.shape[0], offset=tensor.place).tolist()


class _Reader:
    """Values one after another, by their forms in `struct`; struct.error where the file ends before a value does."""

    def __init__(self, data: mmap.mmap):
        self.data, self.place = data, 4

    def take(self, form: str) -> tuple:
        values = struct.unpack_from(f"<{form}", self.data, self.place)
        self.place += struct.calcsize(f"<{form}")
        return values

    def text(self) -> str:
        return self.take(f"{self.take('Q')[0]}s")[0].decode()

    def value(self, kind: int):
        if kind in _NUMBERS:
            return self.take(_NUMBERS[kind])[0]
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            raise ValueError(f"a value of unknown type {kind}")
        kind, count = self.take("IQ")
        if kind in _NUMBERS and count <= 4096:
            return list(self.take(f"{count}{_NUMBERS[kind]}"))
        if kind in _NUMBERS:
            self.take(f"{count * struct.calcsize(_NUMBERS[kind])}x")  # passed over, as strings are
            return None
        if kind != _TEXT or count > _MOST:
            raise ValueError(f"an array of type {kind} with {count} values")
        for _ in range(count):
            self.take(f"{self.take('Q')[0]}x")
        return None


def shown(value: object) -> str:
    """A value that a file holds, fit for one line of a message."""
    text = "".join(letter for letter in str(value) if letter.isprintable())
    return text if len(text) <= 60 else f"{text[:60]} …"


def is_gguf(path: Path) -> bool:
    """Whether a path names a GGUF file, by its ending in any case."""
    return path.suffix.lower() == ".gguf"


def stem(path: Path) -> str:
    """The name of a GGUF model: the file's without its ending, and without its place among the files of a split."""
    return _SHARD.sub("", path.name)[: -len(path.suffix)]


def shards(path: Path) -> list[Path]:
    """All files of the model of which `path` is one, in order: those beside it, if its name says that it is split."""
    if not (split := _SHARD.search(path.name)):
        return [path]
    count = int(split[2])
    files = [path.with_name(_SHARD.sub(f"-{k:05d}-of-{split[2]}", path.name)) for k in range(1, count + 1)]
    if missing := [file.name for file in files if not file.is_file()]:
        there = f"{path} is split in {count} files, {count - len(missing)} of which lie in {path.parent}"
        raise ModelError(f"{there}: put {listed(missing)} beside it")
    return files


def read_header(path: Path) -> Header:
    """Read a file's metadata and the table of its tensors; ModelError, in one line, for a file that is damaged."""
    try:
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _header(path, data)
    except (ValueError, struct.error, OverflowError, MemoryError) as error:
        reason = shown(error) or type(error).__name__
        raise ModelError(f"{path} cannot be read as a GGUF model ({reason}): fetch or copy it again") from error


def _header(path: Path, data: mmap.mmap) -> Header:
    if data[:4] != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    reader = _Reader(data)
    version, n_tensors, n_keys = reader.take("IQQ")
    if version not in (2, 3):
        raise ValueError(f"version {version} of the format, where 2 and 3 are known")
    keys, table = {}, {}
    for _ in range(n_keys):
        name = reader.text()
        keys[name] = reader.value(*reader.take("I"))
    table_at = reader.place
    for _ in range(n_tensors):
        name, (n_dims,) = reader.text(), reader.take("I")
        if n_dims > 8:
            raise ValueError(f"tensor {name} has {n_dims} dimensions")
        *shape, kind, offset = reader.take(f"{n_dims}QIQ")
        table[name] = tuple(shape[::-1]), kind, offset
    names = (*keys, *table)
    if len(names) < n_keys + n_tensors or not all(name.isprintable() and len(name) <= 300 for name in names):
        raise ValueError("a key or a tensor stands in it twice, or has no name")
    alignment = keys.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment not in (1 << k for k in range(17)):
        raise ValueError(f"general.alignment is {alignment}")
    start = -(-reader.place // alignment) * alignment
    tensors = {}
    for name, (shape, kind, offset) in table.items():
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        if not shape or shape[-1] % block or not prod(shape):
            raise ValueError(f"tensor {name} has shape {list(shape)}")
        tensors[name] = Tensor(shape, kind, start + offset, prod(shape) // block * size)
    end = max((tensor.place + tensor.size for tensor in tensors.values()), default=0)
    if end > len(data) or sum(tensor.size for tensor in tensors.values()) > len(data):
        raise ValueError(f"it has {len(data)} bytes, its tensors need {end}")
    return Header(path, keys, tensors, table_at, path)


def joined(headers: list[Header], target: Path) -> Header:
    """Write the files of a split model as one, with the metadata of the first; ModelError if they are of several."""
    first, step = headers[0], headers[0].keys.get("general.alignment", 32)
    tensors = [(name, header, tensor) for header in headers for name, tensor in header.tensors.items()]
    names, count = {name for name, *_ in tensors}, first.keys.get("split.tensors.count", len(tensors))
    if len(names) < len(tensors) or count != len(tensors):
        held = f"{first.path} and the files beside it hold {len(names)} tensors"
        raise ModelError(f"{held}, not the {count} of one model")
    with open(first.path, "rb") as metadata, open(target, "wb") as out:
        metadata.seek(16)
        out.write(b"GGUF" + struct.pack("<IQ", 3, count) + metadata.read(first.table - 16))
        place = 0
        for name, _, tensor in tensors:
            raw, shape = name.encode(), tensor.shape[::-1]
            form = f"<Q{len(raw)}sI{len(shape)}QIQ"
            out.write(struct.pack(form, len(raw), raw, len(shape), *shape, tensor.kind, place))
            place += -(-tensor.size // step) * step
        for _, header, tensor in tensors:
            out.write(bytes(-out.tell() % step))
            with open(header.path, "rb") as part:
                part.seek(tensor.place)
                out.write(part.read(tensor.size))
    return replace(read_header(target), path=first.path)
