"""The results as they grow: one small JSON file, written after every measurement, and what machine it was."""

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import date
from pathlib import Path

import torch

from xlv import __version__
from xlv.cache import whole_file


class Record:
    """Sections of results by name, on disk as soon as one is added; one that is there is not measured again.

    `settings` are the sizes of the run: results of another size, or of another machine, are not taken up.
    """

    def __init__(self, path: Path, machine: dict, settings: dict) -> None:
        self.path = path
        self.data = {"machine": machine, "settings": settings, "sections": {}}
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            if before["settings"] == settings and comparable(before["machine"]) == comparable(machine):
                self.data = before

    def __contains__(self, name: str) -> bool:
        return name in self.data["sections"]

    def add(self, name: str, section: dict) -> None:
        """Add a section and write the file whole."""
        self.data["sections"][name] = section
        with whole_file(self.path) as temporary:
            temporary.write_text(json.dumps(rounded(self.data), indent=1) + "\n", encoding="utf-8")


def comparable(machine: dict) -> dict:
    """What must be equal for two halves of a run to stand in one table: all but the day."""
    return {key: value for key, value in machine.items() if key != "date"}


def rounded(value):
    """Numbers to four significant digits, so that the file says no more than was measured."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def machine(threads: int) -> dict:
    """Processor, threads, memory, releases and day: no names of hosts, no paths."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gb": _memory_gb(),
        "bf16": _flags(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__.split("+")[0],
        "transformers": importlib.metadata.version("transformers"),
        "xlv": __version__,
        "commit": _commit(),
        "date": str(date.today()),
    }


def _cpuinfo(field: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _flags() -> list[str]:
    """The instructions for bf16 that the processor has."""
    return sorted({"avx512_bf16", "amx_bf16", "bf16"} & set(_cpuinfo("flags").split()))


def _memory_gb() -> int | None:
    path = Path("/proc/meminfo")
    return round(int(path.read_text().split()[1]) / 2**20) if path.exists() else None


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip()
