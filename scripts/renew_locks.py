"""Write the locks in requirements/: each release that the Makefile installs, with the SHA-256 of all its files.

Run as `make locks`, or as `make locks UPGRADE=--upgrade` for the newest releases; otherwise a release stays for as long
as pyproject.toml allows it. uv resolves for all platforms and for all Pythons from 3.11 on at once; --only-binary keeps
pip from building, and so from running, what comes as source. torch has no lock: its builds differ, and torch.txt names
its version alone; what its CUDA builds need besides stands in cuda.txt.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    "base": "What the package, its batches and its tests need, and the backend that builds it.",
    "cuda": "What builds of torch for CUDA need besides; builds for CPUs do without.",
    "quality": "What the checks of the book in Chromium need besides base.txt.",
    "uv": "What scripts/renew_locks.py resolves with.",
}
OF_CUDA = re.compile(r"(cuda|nvidia)-|triton\b")
OPTIONS = ["--universal", "--python-version", "3.11", "--fork-strategy", "fewest", "--only-binary", ":all:"]
OPTIONS += ["--generate-hashes", "--no-annotate", "--no-header", "--quiet"]


def entries(text: str) -> list[str]:
    """The requirements of a lock, each with the lines of its hashes."""
    return re.findall(r"^[a-z0-9].*(?:\n +.*)*", text, flags=re.MULTILINE)


def named(entry: str) -> str:
    return entry.split("==")[0]


def resolved(wanted: list[str], known: list[str], *options: str) -> list[str]:
    """What uv finds for requirements and files, at the releases in `known` as far as these will do."""
    with tempfile.TemporaryDirectory() as folder:
        lock, asked = Path(folder) / "lock.txt", Path(folder) / "asked.in"
        lock.write_text("\n".join(known), encoding="utf-8")
        asked.write_text("\n".join(wanted), encoding="utf-8")
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "compile", str(asked), "--output-file", str(lock)]
        subprocess.run([*uv, *OPTIONS, *options], cwd=ROOT, check=True)
        return entries(lock.read_text(encoding="utf-8"))


def main(upgrade: list[str]) -> None:
    """Resolve everything at once, so that the locks agree, and write each lock's part of it."""
    folder = ROOT / "requirements"
    paths = {name: folder / f"{name}.txt" for name in LOCKS}
    known = [entry for path in paths.values() if path.exists() for entry in entries(path.read_text(encoding="utf-8"))]
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    package = ["pyproject.toml", "--extra", "test", "--constraint", str(folder / "torch.txt")]
    everything = resolved(backend, known, *package, "--extra", "quality", *upgrade)
    base = {named(entry) for entry in resolved(backend, everything, *package)}
    parts = {"base": [], "cuda": [], "quality": [], "uv": resolved(["uv"], known, *upgrade)}
    for entry in everything:
        if named(entry) != "torch":
            parts["cuda" if OF_CUDA.match(entry) else "base" if named(entry) in base else "quality"].append(entry)
    for name, part in parts.items():
        head = f"# {LOCKS[name]} Written by `make locks`.\n--only-binary :all:\n"
        paths[name].write_text(head + "\n".join(part) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
