"""Runs a study again and again, each time killed somewhere and then resumed; prints what differs from one never killed.

    python -m tests.killed_study MODEL FOLDER fp32,rename,3 bf16,time,0.4 …

A kill is of a dtype, before a rename (the how manieth) or at a share of the time that a whole run takes. Every run is a
fork of a process that has computed nothing, so that it starts at once and threads start clean.
"""

import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import torch
import transformers.models.llama.modeling_llama  # noqa: F401 what a run would import first

from xlv.models import load  # noqa: F401
from xlv.settings import Settings
from xlv.study import run_study


def run(model: Path, folder: Path, dtype: str, last: int | None = None) -> None:
    """A study in a child of this process: with `last`, killed before so many renames; writes how many there were."""
    os.environ["XLV_CACHE"] = str(folder / "cache")
    torch.set_num_threads(2)
    renames, rename = 0, os.replace

    def counted(source, target) -> None:
        nonlocal renames
        renames += 1
        if renames == last:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    os.replace = counted
    settings = Settings(concepts=("morality",), languages=("en", "fr"), pairs=8, neutral=None, dtype=dtype)
    run_study(str(model), settings, folder / "out", vectors=True)
    (folder / "renames").write_text(str(renames))


def child(*given) -> int:
    """The id of a process that runs a study and ends."""
    if (pid := os.fork()) == 0:
        status = 1
        try:
            run(*given)
            status = 0
        finally:
            os._exit(status)
    return pid


def contents(folder: Path) -> dict[str, str]:
    """What a study has left: a hash of every file by name; files half written have other names."""
    files = [path for part in ("cache", "out") for path in (folder / part).rglob("*") if path.suffix != ".part"]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()
    }


def main(model: Path, folder: Path, kills: list[str]) -> int:
    whole, lasted, faults = {}, {}, 0
    for number, kill in enumerate(kills):
        dtype, kind, when = kill.split(",")
        if dtype not in whole:
            started = time.monotonic()
            _, status = os.waitpid(child(model, folder / dtype, dtype), 0)
            assert status == 0, f"a run that nobody kills ended with {status}"
            whole[dtype], lasted[dtype] = contents(folder / dtype), time.monotonic() - started
            print(f"{dtype}: {(folder / dtype / 'renames').read_text()} renames in {lasted[dtype]:.1f} s", flush=True)
        here = folder / str(number)
        pid = child(model, here, dtype, int(when) if kind == "rename" else None)
        if kind == "time":
            time.sleep(float(when) * lasted[dtype])
            os.kill(pid, signal.SIGKILL)
        _, first = os.waitpid(pid, 0)
        left = len(contents(here))
        _, second = os.waitpid(child(model, here, dtype), 0)
        found = contents(here)
        other = [name for name in found.keys() | whole[dtype] if found.get(name) != whole[dtype].get(name)]
        faults += second != 0 or bool(other)
        print(
            f"{kill}: ended by {first}, {left} files; resumed: {second}, {f'OTHERS: {other}' if other else 'the same'}"
        )
    return faults


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
