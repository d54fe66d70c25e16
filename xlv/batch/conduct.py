"""A batch conducted: each run in a process of its own, here or at a worker of Dask, and what becomes of it reported."""

import asyncio
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

import joblib
import psutil
from filelock import FileLock, Timeout

from xlv import __version__
from xlv.batch.runs import MARK, RESULTS, TEXTS, Run
from xlv.batch.spec import Spec
from xlv.cache import Progress, silent
from xlv.edition.book import KILLED, build_book, execute_notebooks, repository
from xlv.edition.notebook import STORED
from xlv.results import load, save

TAKEN_UP = 3  # times that a run is begun anew because it was killed
PATIENCE = 10  # seconds for a scheduler to answer
Say, Submit = Callable[[str], None], Callable[[Run, Path], Future]


def conduct(spec: Spec, runs: Sequence[Run], say: Say, *, workers: int = 1, scheduler: str = "") -> dict[str, str]:
    """Make all runs that are not done yet, by `workers` of this machine or those of a Dask `scheduler`.

    A run that fails is made again as often as the spec says; one that is killed, three times besides. On any exception,
    an interrupt too, what is running is ended. Returns the errors of runs that failed in the end, by name. Raises
    ValueError where workers cannot be had.
    """
    waiting = [run for run in runs if not run.record()]
    say(f"done before: {len(runs) - len(waiting)} of {len(runs)} runs")
    spec.out.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(spec.out / MARK).acquire(timeout=0)
    except Timeout:
        raise ValueError(f"another `xlv batch` is at work in {spec.out}: wait for it, or end it") from None
    except OSError as error:
        raise ValueError(f"no lock in {spec.out} ({error.strerror}): choose `out` on a disk that has locks") from None
    with (
        lock,
        _cluster(spec, scheduler, say) if scheduler and waiting else _machine(waiting, workers) as submit,
        NamedTemporaryFile(prefix=".at-work-", dir=spec.out) as sign,  # attempts end when it is gone
    ):
        shutil.copytree(repository() / "notebooks", spec.out / "notebooks", dirs_exist_ok=True)  # every worker sees it
        return _follow(waiting, lambda run: submit(run, Path(sign.name)), spec.retries, say)


def build_batch_book(
    spec: Spec, runs: Sequence[Run], failed: Mapping[str, str], *, progress: Progress = silent
) -> Path:
    """Build one book that compares the done runs, with a page on all of them; returns its index.html.

    Figures compare runs on the same texts: those with the data, languages, concepts, pairs and profile that most models
    share. Raises BookError.
    """
    alike, folder = defaultdict(list), spec.out / "book"
    results = folder / "compared"  # no name that a book's sources have
    for run in runs:
        if run.record():
            alike[tuple(run.parameters.get(name) for name in TEXTS)].append(run)
    shown = max(alike.values(), key=lambda same: len({run.model for run in same}))
    shutil.rmtree(results, ignore_errors=True)
    for run in shown:
        for path in run.folder.glob(RESULTS):
            dataset = load(path)
            about = {name: value for name, value in dataset.attrs.items() if name not in ("schema", "xlv")}
            about["title"] += f", {run.variant}" if run.variant else ""
            save(dataset, results / run.name / path.name, about)
    parameters = {**shown[0].parameters, "models": ",".join(run.name for run in shown), "profile": STORED}
    parameters |= {"results": str(results), "languages": "", "concepts": "", "pairs": 0, "seed": 0}
    banner = f"Edition “{spec.out.name}”: {len(shown)} of {len(runs)} runs of a batch."
    page = "# The runs of this batch\n"
    for run in runs:  # errors are quoted, so that nothing in them is Markdown
        error = " ".join(failed.get(run.name, "not run").split()).replace("`", "'")
        done = "compared in this book" if run in shown else "done, on other texts"
        page += f"\n- {run.name}: {done if run.record() else f'failed: `{error}`'}"
    return build_book(parameters, folder, banner, {"batch-runs": page}, progress=progress)


@contextmanager
def _machine(runs: Sequence[Run], workers: int) -> Iterator[Submit]:
    """Threads of this process, each of which waits for the process of an attempt."""
    memory = psutil.virtual_memory().total // workers
    for run in runs:
        if (need := run.needs.get("memory", 0)) > memory:
            raise ValueError(f"{run.name} needs {need / 1e9:.0f} GB, each worker here has {memory / 1e9:.0f} GB")
        if workers > 1 and run.needs.get("gpus"):
            raise ValueError(f"{run.name} needs GPUs, which workers share by Dask only: see the page on batch runs")
    with ThreadPoolExecutor(workers) as pool:
        yield lambda run, sign: pool.submit(perform, run, sign, workers if workers > 1 else 0)


@contextmanager
def _cluster(spec: Spec, address: str, say: Say) -> Iterator[Submit]:
    """The workers of a Dask scheduler, which gives the run of one that dies to another."""
    try:
        from distributed import Client, Security, rpc
    except ImportError:
        raise ValueError("a cluster needs Dask: pip install 'xlv[batch]', or leave out --scheduler") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:  # a client would wait for ever
        asked = rpc(address, connection_args=Security().get_connection_args("client")).identity()
        if (found := asyncio.run(asyncio.wait_for(asked, PATIENCE))["type"]) != "Scheduler":
            raise ValueError(f"this is a {found}")
    except Exception as fault:  # of many kinds
        why = " ".join(str(fault).split()) or f"nothing for {PATIENCE} s"
        raise ValueError(f"no Dask scheduler answers at {address} ({why}): expected one's tcp://host:8786") from None
    with Client(address, set_as_default=False) as client:
        found = client.run(_about, spec.out, on_error="return")
        if strange := {worker: about for worker, about in found.items() if about != _about(spec.out)}:
            raise ValueError(f"workers need xlv {__version__} and the folder {spec.out} under this path: {strange}")
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        safe = "" if address.startswith("tls") else " (no TLS: all who reach it can run code as you)"
        say(f"{len(workers)} workers at {address}{safe}; its dashboard, if it has one: {client.dashboard_link}")
        sharing = max(Counter(worker["host"] for worker in workers).values(), default=1)

        def submit(run: Run, sign: Path) -> Future:
            offers = ("MEMORY", "memory"), ("GPU", "gpus")
            needs = {offer: run.needs[name] for offer, name in offers if run.needs.get(name)}
            if not any(all(worker["resources"].get(k, 0) >= needs[k] for k in needs) for worker in workers):
                say(f"waiting: {run.name} needs a worker with the resources {needs}")
            return client.get_executor(resources=needs, pure=False).submit(perform, run, sign, sharing)

        yield submit


def _about(folder: Path) -> tuple[str, bool]:
    return __version__, folder.is_dir()


def _follow(runs: Sequence[Run], submit: Callable[[Run], Future], retries: int, say: Say) -> dict[str, str]:
    """Hand the runs out, and those that are worth it again; the error, by name, of those that failed in the end."""
    before, failures, failed = {run.name: run.attempts() for run in runs}, Counter(), {}
    going, since = {submit(run): run for run in runs}, time.monotonic()
    while going:
        run = going.pop(future := next(as_completed(going)))
        try:
            error, killed = future.result()
        except CancelledError:
            raise ValueError("the scheduler was lost: what is done is kept, the same command goes on") from None
        except Exception as fault:
            error, killed = f"{type(fault).__name__}: {fault}", type(fault).__name__ == "KilledWorker"  # Dask's
        if error:
            failures[run.name] += not killed
            if failures[run.name] <= retries and run.attempts() - before[run.name] - failures[run.name] <= TAKEN_UP:
                say(f"taken up again: {run.name}: {error}")
                going[submit(run)] = run
                continue
            failed[run.name] = error
        ended = len(runs) - len(going)
        left = timedelta(seconds=round((time.monotonic() - since) / ended * len(going)))
        state = f"failed: {run.name}: {error}" if error else f"done: {run.name}"
        say(f"{state} ({ended} of {len(runs)} ended, {len(failed)} failed, about {left} left)")
    return failed


def perform(run: Run, sign: Path, sharing: int = 0) -> tuple[str, bool]:
    """Make one attempt at a run, with a folder and a log of its own, and record what is done.

    It goes on while the file `sign` is there, beside the notebooks. `sharing` is how many runs share the machine's
    cores; 0: leave the number of threads as it is. Returns the error, empty if the run is done, and whether the attempt
    was killed from outside, which need not be the fault of the run.
    """
    if run.record():  # by an attempt whose worker died before it could say so
        return "", False
    if not sign.exists():
        return f"stopped, or {socket.gethostname()} does not see {sign.parent}", False
    folder, begun = run.folder / f"attempt-{run.attempts() + 1}", time.monotonic()
    folder.mkdir(parents=True)
    job = {"names": run.notebooks, "parameters": dict(run.parameters)}
    (folder / "job.json").write_text(json.dumps(job, indent=1), encoding="utf-8")
    code = _execute(run, folder, sign, sharing)
    if code is None:
        return f"TimeoutError: stopped at its limit of {run.needs.get('time', 0):g} s", False
    if code < 0:
        return f"killed by {signal.Signals(-code).name}", True
    if code:
        last = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]
        return last.removeprefix("xlv.edition.book.BookError: "), last.endswith(KILLED)
    run.keep(attempt=folder.name, host=socket.gethostname(), seconds=round(time.monotonic() - begun, 1))
    return "", False


def _execute(run: Run, folder: Path, sign: Path, sharing: int) -> int | None:
    """Execute the job in a folder and return the status of its process; None if it had to be stopped."""
    private, limit = TemporaryDirectory(prefix="xlv-"), run.needs.get("time", float("inf"))
    environment = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "TMPDIR": private.name}
    if threads := run.needs.get("threads") or sharing and max(1, joblib.cpu_count() // sharing):
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), f"{threads:.0f}")
    if run.needs.get("gpus") == 0:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    command, begun, kernels = [sys.executable, "-m", "xlv.batch.conduct", str(sign.parent)], time.monotonic(), []
    with open(folder / "log.txt", "w", encoding="utf-8") as log:
        print(f"{run.name} on {socket.gethostname()}, {time.strftime('%Y-%m-%d %H:%M:%S')}", file=log, flush=True)
        how = {"stdin": subprocess.PIPE, "stdout": log, "stderr": log, "start_new_session": True}
        process = subprocess.Popen(command, cwd=folder, env=environment, **how)
    while (code := process.poll()) is None and sign.exists() and time.monotonic() - begun < limit:
        kernels = psutil.Process(process.pid).children(recursive=True) or kernels
        time.sleep(0.2)
    process.stdin.close()  # which ends it and its kernel, see `_end_with_worker`
    process.wait()
    for kernel in kernels:  # that of a killed process may have outlived it
        with suppress(psutil.NoSuchProcess):
            kernel.kill()
    private.cleanup()
    return code


def _end_with_worker() -> None:
    """Wait for the end of standard input, which the worker holds open while it lives and wants this; end everything."""
    while os.read(0, 1024):
        pass
    for kernel in psutil.Process().children(recursive=True):
        kernel.kill()
    os._exit(1)


if __name__ == "__main__":  # the process of an attempt, in its folder
    threading.Thread(target=_end_with_worker, daemon=True).start()
    order = json.loads(Path("job.json").read_text(encoding="utf-8"))
    execute_notebooks(**order, target=Path.cwd() / "notebooks", root=Path(sys.argv[1]), cwd=Path.cwd())
