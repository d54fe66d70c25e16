"""A Dask cluster as executor: its scheduler gives a dead worker's run to another."""

import logging
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from distributed import Client, Future, KilledWorker, LocalCluster
from distributed.comm.addressing import get_address_host

from xlv import __version__
from xlv.batch import attempt
from xlv.batch.attempt import Job, Outcome, perform
from xlv.batch.executors import BatchError, Ended, resources
from xlv.batch.plan import Run

_FRESH = 3.0  # seconds


class Cluster:
    """The workers of a scheduler. `folder` is where runs lie: workers must see it under the same path."""

    def __init__(self, address: str, batch: str, folder: Path, cluster: LocalCluster | None = None) -> None:
        self.batch, self.address, self.cluster = batch, address, cluster
        try:
            self.client = Client(address, set_as_default=False)
        except (OSError, ValueError) as error:
            why = f"no Dask scheduler answers at {address} ({error})"
            raise BatchError(f"{why}: start one with `dask scheduler`") from None
        self._sent, self._begun, self._seen = 0, {}, (float("-inf"), {})
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            self._check_workers(folder)
        except BatchError:
            self.stop()
            raise

    @classmethod
    def local(cls, workers: int, offer: dict[str, float], batch: str, folder: Path) -> Self:
        """A cluster of worker processes on this machine, each with one run at a time."""
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            resources=offer,
            memory_limit=0,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
        return cls(cluster.scheduler_address, batch, folder, cluster)

    def submit(self, job: Job, ended: Ended) -> None:
        """Begin an attempt at a worker that offers what the run needs."""
        if self.client.status != "running":
            raise BatchError(f"the scheduler {self.address} was lost: what is done is kept, the same command goes on")
        self._sent += 1
        key, needs = f"{job.run.name}-{self.batch}-{self._sent}", resources(job.run)
        hosts = Counter(get_address_host(address) for address in self._about())
        job = replace(job, cores=1 / max(hosts.values(), default=1))
        future = self.client.submit(perform, job, key=key, resources=needs, pure=False)
        self._begun[key] = future, needs  # Dask drops a task whose future nobody holds

        def pass_on(future: Future) -> None:
            del self._begun[key]
            ended(_outcome(future))

        future.add_done_callback(pass_on)

    def workers(self) -> int:
        """How many attempts the workers can make at a time."""
        return sum(about["nthreads"] for about in self._about().values())

    def room(self, run: Run) -> bool:
        """Whether a worker is free, and one of those that offer what the run needs."""
        needs, begun = resources(run), [needs for _, needs in list(self._begun.values())]
        fit = sum(worker["nthreads"] for worker in self._about().values() if _offers(worker["resources"], needs))
        return len(begun) < self.workers() and begun.count(needs) < fit

    def obstacle(self, run: Run) -> str:
        """That there is no worker, or none that offers what the run needs."""
        about, start = self._about(), f"dask worker {self.address}"
        if not about:
            return f"no worker is connected to the scheduler: start one with `{start} --nthreads 1`"
        if any(_offers(worker["resources"], resources(run)) for worker in about.values()):
            return ""
        wanted = " ".join(f"{name}={amount:g}" for name, amount in resources(run).items())
        return f'no worker offers {wanted}: start one with `{start} --nthreads 1 --resources "{wanted}"`'

    def stop(self) -> None:
        """End this batch's attempts wherever they are made."""
        closing = [self.client.close] + ([self.cluster.close] if self.cluster else [])
        if self.cluster is None and self.client.status == "running":
            closing.insert(0, lambda: self.client.run(attempt.stop, self.batch))
        for close in closing:
            with suppress(OSError):  # a worker that dies or does not answer meanwhile
                close()

    def _about(self) -> dict[str, dict]:
        """What the scheduler says of each worker, asked every few seconds."""
        if time.monotonic() > self._seen[0] + _FRESH and self.client.status == "running":
            with suppress(OSError):  # a scheduler that is slow to answer: what it said before must do
                self._seen = time.monotonic(), self.client.scheduler_info(n_workers=-1)["workers"]
        return self._seen[1]

    def _check_workers(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for address, found in self.client.run(_sees, folder, on_error="return").items():
            if found != (True, __version__):
                raise BatchError(
                    f"worker {address} cannot run this batch ({_why(found, folder)}): it needs xlv {__version__}, and "
                    f"the folder {folder} under the same path"
                )


def _offers(offer: dict[str, float], needs: dict[str, float]) -> bool:
    return all(offer.get(name, 0) >= amount for name, amount in needs.items())


def _sees(folder: Path) -> tuple[bool, str]:
    return folder.is_dir(), __version__


def _why(found: object, folder: Path) -> str:
    if isinstance(found, Exception):
        return f"{type(found).__name__}: {found}"
    return f"it does not see {folder}" if not found[0] else f"it has xlv {found[1]}"


def _outcome(future: Future) -> Outcome:
    if future.status == "finished":
        return future.result()
    if future.status != "error":
        return Outcome(False, error="the scheduler was lost", lost=True)
    error = future.exception()
    if isinstance(error, KilledWorker):
        return Outcome(False, error="the workers that took it up died", lost=True)
    return Outcome(False, error=f"{type(error).__name__}: {error}")
