"""The worker's side of the protocol: one contender in a process of its own, asked and answering in lines of JSON.

Run as `python serve.py MODULE`. Requests have `do`: load, states, generate, call or quit. Every answer has `ok`; one
that is not ok has `error`. What libraries print goes to stderr, so that it cannot spoil the answers.
"""

import importlib
import importlib.metadata
import json
import os
import sys
import time

import numpy as np


def versions(packages: list[str]) -> dict[str, str]:
    """Releases of the packages that are installed here."""
    found = {}
    for name in filter(None, packages):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


class Server:
    """Answers requests for one contender module."""

    def __init__(self, module: str) -> None:
        self.module = importlib.import_module(module)
        self.contender = None

    def load(self, folder: str, dtype: str, packages: list[str]) -> dict:
        from loading import memory, touch

        self.contender = self.module.Contender(folder, dtype)
        touch(self.contender.network)
        return {"versions": versions(packages), "weights": memory("VmRSS")}

    def states(self, groups: list[list[str]], save: str | None = None) -> dict:
        """Time the reading of all texts; `save` writes the states `[example, layer, d_model]` in fp32."""
        from loading import memory, reset_peak

        reset_peak()
        before, start = memory("VmRSS"), time.perf_counter()
        found = self.contender.states(groups)
        seconds, peak = time.perf_counter() - start, memory("VmHWM")
        if save:
            np.save(save, np.asarray(found.float()))
        return {
            "seconds": seconds,
            "peak": None if peak is None else max(0, peak - before),
            "final_norm": getattr(self.contender, "final_norm", True),
        }

    def generate(self, prompts: list[str], tokens: int, vectors: str, strength: float, **more) -> dict:
        """Time the steered generation; `vectors` is a file with `[layer, d_model]`, zero where nothing is added."""
        added = {layer: row for layer, row in enumerate(np.load(vectors), start=1) if row.any()}
        start = time.perf_counter()
        completions = self.contender.generate(prompts, tokens, added, strength, **more)
        return {"seconds": time.perf_counter() - start, "completions": completions}

    def call(self, name: str, options: dict) -> dict:
        """Call a function of the module that answers with a dictionary."""
        return getattr(self.module, name)(**options)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    server = None
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("do") == "quit":
            break
        try:
            server = server or Server(sys.argv[1])
            what = request.pop("do")
            if what not in ("load", "states", "generate", "call"):
                raise ValueError(f"unknown request {what!r}: expected load, states, generate, call or quit")
            answer = {"ok": True, **getattr(server, what)(**request)}
        except Exception as error:  # whatever a library raises is reported, and the bench goes on with the others
            answer = {"ok": False, "error": f"{type(error).__name__}: {str(error).strip()[:300]}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
