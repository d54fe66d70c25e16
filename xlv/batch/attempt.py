"""One attempt at a run, on the machine that makes it: a process with its own folder, log, limit and devices."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xlv import __version__
from xlv.batch.plan import DONE, Run
from xlv.batch.tree import MARK, end_all
from xlv.cache import file_sha256, whole_file
from xlv.models.devices import claimed_gpus

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """What a worker is told: the run, the folder with `notebooks`, the batch it belongs to (stopped by that name), what
    to keep about its cost, and the share of the machine's cores for a run that does not say its threads."""

    run: Run
    root: Path
    batch: str
    cost: Mapping[str, object]
    cores: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: done, or failed with `error`, its traceback's last line. `lost`: killed from outside, which
    need not be the fault of the run."""

    done: bool
    seconds: float = 0.0
    error: str = ""
    lost: bool = False


_running: dict[Path, str] = {}  # attempts of this process, and the batch of each
_stopped: set[str] = set()  # batches that this process makes no more attempts for


def perform(job: Job) -> Outcome:
    """Make one attempt and wait for its end. What it computed is recorded only once all of it is there."""
    if job.run.record():
        return Outcome(True)  # done by an attempt of before that its worker could not report
    attempt = _new_attempt(job.run)
    _running[attempt] = job.batch
    try:
        with claimed_gpus(job.run.needs.gpus or 0, given_up=lambda: job.batch in _stopped) as gpus:
            outcome = _attempt(job, attempt, gpus)
    except (ValueError, InterruptedError) as error:
        outcome = Outcome(False, error=f"{type(error).__name__}: {error}")
    finally:
        del _running[attempt]
    if outcome.done:
        _record(job, attempt, outcome.seconds)
    return outcome


def stop(batch: str) -> None:
    """End all attempts that this process makes for a batch, and make no more."""
    _stopped.add(batch)
    for attempt in [path for path, name in _running.items() if name == batch]:
        end_all(attempt)


def _new_attempt(run: Run) -> Path:
    number = len(run.attempts()) + 1
    while True:
        try:
            folder = run.folder / f"attempt-{number}"
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:  # another worker was quicker
            number += 1


def _environment(job: Job, attempt: Path, gpus: list[str]) -> dict[str, str]:
    environment = {**os.environ, MARK: str(attempt), "TRANSFORMERS_VERBOSITY": "error"}
    if job.run.needs.gpus is not None:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    threads = job.run.needs.threads
    if threads is None and job.cores is not None:
        threads = max(1, int(_cores() * job.cores))
        environment.pop("MALLOC_TRIM_THRESHOLD_", None)  # Dask sets these for its workers; runs are not of that kind
    if threads is not None:
        environment |= dict.fromkeys(THREADS, str(threads))
    return environment


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _attempt(job: Job, attempt: Path, gpus: list[str]) -> Outcome:
    order = {"notebooks": job.run.notebooks, "parameters": dict(job.run.parameters), "root": str(job.root)}
    (attempt / "job.json").write_text(json.dumps(order, indent=1), encoding="utf-8")
    log, limit, begun = attempt / "log.txt", job.run.needs.time, time.monotonic()
    with open(log, "wb") as stream:
        stream.write(f"{job.run.name} on {socket.gethostname()}, {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
        stream.flush()
        # The child watches its standard input, which closes when this process ends, however it ends.
        process = subprocess.Popen(
            [sys.executable, "-m", "xlv.batch.process", str(attempt / "job.json")],
            cwd=attempt,
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=_environment(job, attempt, gpus),
            start_new_session=True,
        )
        if job.batch in _stopped:
            end_all(attempt)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end_all(attempt)
            process.wait()
            process.stdin.close()
    seconds = time.monotonic() - begun
    if code == 0:
        return Outcome(True, seconds)
    if code is None:
        return Outcome(False, seconds, f"TimeoutError: stopped at its limit of {limit:g} s")
    if code < 0:
        return Outcome(False, seconds, f"killed by {signal.Signals(-code).name}, for want of memory perhaps", lost=True)
    return Outcome(False, seconds, _last_line(log))


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip()


def _record(job: Job, attempt: Path, seconds: float) -> None:
    run = job.run
    files = sorted(run.results.glob("*.nc"))
    record = {
        "name": run.name,
        "key": run.key,
        "parameters": dict(run.parameters),
        "xlv": __version__,
        "attempt": attempt.name,
        "host": socket.gethostname(),
        "seconds": round(seconds, 1),
        "cost": {**job.cost, "notebooks": len(run.notebooks), "seconds": round(seconds, 1)},
        "files": {str(path.relative_to(run.folder)): file_sha256(path) for path in files},
    }
    with whole_file(run.folder / DONE) as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
