"""The user's cache: where weights and activations live, how files are written whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from platformdirs import user_cache_path

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
EXTRACTOR = 2  # raised when reading states changes, so that cached activations and what rests on them are made anew
_MANIFEST = "manifest.json"


def counted(items: Collection[T], what: str, progress: Progress) -> Iterator[T]:
    """The items, with a word on how far along they are."""
    for done, item in enumerate(items):
        progress(what, done, len(items))
        yield item
    progress(what, len(items), len(items))


def silent(_what: str, _done: int, _total: int) -> None:
    """A progress listener that says nothing."""


def cache_root() -> Path:
    """The cache folder: `$XLV_CACHE` if set, else the platform's cache folder for xlv."""
    return Path(os.environ.get("XLV_CACHE") or user_cache_path("xlv"))


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name `path` only if the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes the name `path` only if the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def need_space(folder: Path, size: int, what: str) -> None:
    """Raise OSError, naming the remedy, unless the disk of `folder` has `size` bytes free."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(
            f"{what} needs {size / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free: "
            "make room (`xlv cache clear`) or set XLV_CACHE to a folder on a larger disk"
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: Path) -> None:
    """Write down the SHA-256 of every file below a folder, in `manifest.json` there."""
    (folder / _MANIFEST).write_text(json.dumps(_checksums(folder), indent=1), encoding="utf-8")


def verified(folder: Path) -> bool:
    """Whether a folder holds exactly the files of its manifest, each unchanged; False without a manifest."""
    try:
        return json.loads((folder / _MANIFEST).read_text(encoding="utf-8")) == _checksums(folder)
    except (OSError, ValueError):
        return False


def _checksums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _MANIFEST)
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}


def fingerprint(*parts: object) -> str:
    """A short stable hash of JSON-serialisable parts, for cache keys and provenance."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def size_of(path: Path) -> int:
    """Bytes of a file or of all files below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
