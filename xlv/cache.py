"""The user's cache: where weights and activations live, how files are written whole or not at all."""

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from filelock import FileLock
from platformdirs import user_cache_path

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
EXTRACTOR = 2  # raised when reading states changes, so that cached activations and what rests on them are made anew
_MANIFEST = "manifest.json"
_FULL = errno.ENOSPC, errno.EDQUOT
_LEFT = re.compile(r"\..*\.part|\.(wheel|joined)-.*")  # temporary names, ours
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # read once: some disks have no locks, and files appear whole


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
def writing(folder: Path) -> Iterator[None]:
    """Raise OSError, naming the folder and the remedy, if the block fails as its disk is full or cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except Exception as error:
        if not isinstance(error, ValueError):  # which says itself what is wrong
            said = re.search(r"(?:Errno|os error) (\d+)", str(error))  # so do Python and safetensors; netCDF does not
            check_writable(folder, int(said[1]) if said else 0)
        raise


@contextmanager
def whole_file(path: Path, create: Callable[[Path], None] = Path.touch) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its name only if the block ends well; raises as `writing`."""
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        with writing(path.parent):
            create(temporary)
            mode = temporary.stat().st_mode & 0o666  # as the umask has it; safetensors makes files of 0600
            yield temporary
            for file in filter(Path.is_file, (temporary, *temporary.rglob("*"))):
                file.chmod(mode)
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True) if temporary.is_dir() else temporary.unlink(missing_ok=True)


whole_folder = partial(whole_file, create=Path.mkdir)  # the same for a folder, which must not be there yet


def check_writable(folder: Path, error: int = 0) -> None:
    """Raise OSError, naming the remedy, if a folder cannot be made and written to, or if `error` is of a full disk."""
    near = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
    try:
        with tempfile.TemporaryFile(dir=near) as file:
            file.write(bytes(1 << 18))
        if error not in _FULL:
            return
    except OSError as fault:
        error = fault.errno
    full = f"the disk of {folder} is full: make room (`xlv cache list` shows what may go) or"
    said = full if error in _FULL else f"{folder} cannot be written ({os.strerror(error)}):"
    choose = "set XLV_CACHE to" if cache_root() in (folder, *folder.parents) else "choose"
    raise OSError(f"{said} {choose} another folder; what was there is kept")


def need_space(folder: Path, size: int, what: str) -> None:
    """Raise OSError, naming the remedy, unless `folder` can be written and its disk has `size` bytes free."""
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(folder).free) < size:
        fault = f"{what} needs {size / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free"
        raise OSError(f"{fault}: make room (`xlv cache list` shows what may go) or set XLV_CACHE to another folder")


def alone(name: str) -> AbstractContextManager:
    """Keep two processes from fetching or unpacking the same weights, where a lock can be had: it only spares work."""
    try:
        (folder := cache_root() / "weights").mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f".{name}.lock").acquire()
    except OSError:  # a disk that is only read, or one without locks
        return nullcontext()


def leftovers(*, idle: bool = False) -> list[Path]:
    """What interrupted runs left in the cache; `idle`: only what is a day old, or of weights while no lock is held."""
    found, free = [path for path in cache_root().rglob(".*") if _LEFT.fullmatch(path.name)], True
    try:
        for lock in (cache_root() / "weights").glob(".*.lock"):
            FileLock(lock).acquire(timeout=0).lock.release()
    except OSError:  # one is held, or there are none here
        free = False
    ages = {path: time.time() - max(file.stat().st_mtime for file in (path, *path.rglob("*"))) for path in found}
    return [p for p, age in ages.items() if not idle or age > 86400 or (free and p.parent.name == "weights")]


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
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
