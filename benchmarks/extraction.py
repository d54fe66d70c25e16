"""Extraction: ours, the paper's, a reference's and the peers', interleaved; and how ours grows."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Self

import numpy as np

from benchmarks.contenders import AUTHORS, OURS, READING_PEERS, REFERENCE, Contender, present
from benchmarks.measures import deviation, interleaved, line, summary
from benchmarks.protocol import Worker, WorkerError
from benchmarks.workload import Reading, reading, shared_folder, texts_by_language

Say = Callable[[str], None]
TOLERANCE = {"fp32": 1e-3, "bf16": 0.1}
MATMUL = Contender("matmul peak", "matmul")


def readers(dtype: str) -> tuple[Contender, ...]:
    """Who reads in a dtype: the authors' job in fp32 only, as they ran it."""
    return (OURS, *((AUTHORS,) if dtype == "fp32" else ()), REFERENCE, *READING_PEERS)


def compare(model: str, dtype: str, work: Reading, *, repeats: int, threads: int, say: Say) -> dict:
    """Timings of all readers on one model and dtype, with memory, agreement and the matmul peak of the same rounds."""
    folder = shared_folder(model)
    there, missing = present(readers(dtype))
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch, _Workers(threads) as workers:
        facts = {}
        for contender in there:
            try:
                facts[contender.name] = _first(workers.start(contender), contender, folder, dtype, work, Path(scratch))
            except WorkerError as error:
                failures[contender.name] = str(error)
                workers.drop(contender.name)
                say(f"  {error}")
            else:
                say(f"  {contender.name}: ready")
        rate = workers.start(MATMUL)
        peaks: list[float] = []

        def once(name: str) -> float:
            if name == MATMUL.name:
                peaks.append(rate.ask("call", name="peak", options={"dtype": dtype})["gflops"])
                return peaks[-1]
            seconds = workers[name].ask("states", groups=work.groups)["seconds"]
            say(f"  {name}: {work.texts / seconds:.1f} sentences/s")
            return seconds

        times = interleaved([*facts, MATMUL.name], repeats, once, lambda name, e: failures.update({name: str(e)}))
        _agreement(facts, Path(scratch), dtype)
    peak = median(peaks)
    rows = {name: {**facts[name], **_rates(work, times[name], peak)} for name in facts if name in times}
    return {
        "model": model,
        "dtype": dtype,
        "texts": work.texts,
        "tokens": work.tokens,
        "gflop": work.gflop,
        "once_gflop": work.once_gflop,
        "peak_gflops": peak,
        "rows": rows,
        "not_installed": missing,
        "failed": failures,
    }


class _Workers(dict):
    """Workers by name, all ended together."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.threads = threads

    def start(self, contender: Contender) -> Worker:
        self[contender.name] = Worker(contender, self.threads)
        return self[contender.name]

    def drop(self, name: str) -> None:
        self.pop(name).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception) -> None:
        for worker in self.values():
            worker.close()


def _first(worker: Worker, contender: Contender, folder: Path, dtype: str, work: Reading, scratch: Path) -> dict:
    """Load and read once untimed: it warms up, and gives the memory over the weights and the states to compare."""
    packages = [contender.peer, "transformers", "torch"]
    loaded = worker.ask("load", folder=str(folder), dtype=dtype, packages=packages)
    answer = worker.ask("states", groups=work.groups, save=str(scratch / f"{contender.module}.npy"))
    return {
        "module": contender.module,
        "versions": loaded["versions"],
        "weights_bytes": loaded["weights"],
        "over_weights_bytes": answer["peak"],
        "final_norm": answer["final_norm"],
    }


def _agreement(facts: dict[str, dict], scratch: Path, dtype: str) -> None:
    """Add to each reader how far its states are from the reference's; layer L only where it is behind the norm."""
    if REFERENCE.name not in facts:
        return
    expected = np.load(scratch / f"{REFERENCE.module}.npy")
    for fact in facts.values():
        states = np.load(scratch / f"{fact.pop('module')}.npy")
        layers = slice(None) if fact["final_norm"] else slice(None, -1)
        fact["deviation"] = deviation(states[:, layers], expected[:, layers])
        fact["agrees"] = fact["deviation"] <= TOLERANCE[dtype]


def _rates(work: Reading, times: list[float], peak: float) -> dict:
    found = summary(times)
    seconds = found["seconds"]
    return {
        **found,
        "sentences": work.texts / seconds,
        "tokens_per_second": work.tokens / seconds,
        "gflops": work.gflop / seconds,
        "of_peak": work.gflop / seconds / peak,
    }


def growth(model: str, dtype: str, *, languages: list[str], pairs: int, repeats: int, threads: int, say: Say) -> dict:
    """Seconds of ours on more and more texts of one language, and on more and more languages of as many texts each."""
    folder = shared_folder(model)
    steps = [n for n in (pairs // 2, pairs, 3 * pairs // 2, 2 * pairs) if 0 < n <= 64]
    runs = [("texts", texts_by_language(languages[:1], n)) for n in steps]
    runs += [("languages", texts_by_language(languages[: n + 1], pairs)) for n in range(len(languages))]
    work = [(kind, reading(folder, groups)) for kind, groups in runs]
    with Worker(OURS, threads) as worker:
        worker.ask("load", folder=str(folder), dtype=dtype, packages=[])
        worker.ask("states", groups=work[0][1].groups)
        names = [str(i) for i in range(len(work))]
        times = interleaved(
            names, repeats, lambda name: worker.ask("states", groups=work[int(name)][1].groups)["seconds"], _raise
        )
    rows = [
        {
            "kind": kind,
            "texts": part.texts,
            "languages": len(part.groups),
            "tokens": part.tokens,
            **summary(times[name]),
        }
        for name, (kind, part) in zip(names, work, strict=True)
    ]
    say(f"  growth of {model}: {len(rows)} sizes")
    return {"model": model, "dtype": dtype, "rows": rows, "fits": fits(rows)}


def _raise(_name: str, error: Exception) -> None:
    raise error


def fits(rows: list[dict]) -> dict[str, dict]:
    """Lines of seconds on the number of texts, of languages, and of useful tokens over all rows; kinds with 3 sizes."""
    found = {}
    for kind in ("texts", "languages"):
        part = [row for row in rows if row["kind"] == kind]
        if len(part) > 2:
            found[kind] = line([row[kind] for row in part], [row["seconds"] for row in part])
    if len(rows) > 2:
        found["tokens"] = line([row["tokens"] for row in rows], [row["seconds"] for row in rows])
    return found
