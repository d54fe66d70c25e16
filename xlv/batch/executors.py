"""Where attempts are made: one after the other on this machine, or by the workers of a Dask cluster."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import psutil

from xlv.batch import attempt
from xlv.batch.attempt import Job, Outcome, perform
from xlv.batch.plan import Run
from xlv.models.devices import visible_gpus

Ended = Callable[[Outcome], None]


class BatchError(ValueError):
    """A batch that cannot be run here; the message names the remedy."""


class Executor(Protocol):
    """Makes attempts; `submit` returns at once, and `ended` is called with the outcome from another thread.

    An attempt is submitted when there is room for it and not before, so that none is bound to a busy worker while
    another is free, or comes later.
    """

    def submit(self, job: Job, ended: Ended) -> None:
        """Begin an attempt."""

    def workers(self) -> int:
        """How many attempts can be made at a time now."""

    def room(self, run: Run) -> bool:
        """Whether an attempt at this run would begin now."""

    def obstacle(self, run: Run) -> str:
        """What keeps this run from ever being made as things are, and the remedy; empty if nothing does."""

    def stop(self) -> None:
        """End what is running."""


def executor(runs: Sequence[Run], batch: str, workers: int, scheduler: str) -> Executor:
    """The executor asked for: the Dask cluster of a `scheduler`, or `workers` of a local one, or this machine without.

    Raises BatchError where Dask is missing, the cluster cannot be reached or used, or a run needs more than it has.
    """
    if not (workers or scheduler):
        _check_needs(runs, {"MEMORY": psutil.virtual_memory().total, "GPU": _gpus(runs)}, "this machine")
        return Here(batch)
    try:
        import distributed  # noqa: F401
    except ImportError:
        remedy = "pip install 'xlv[batch]', or leave out --workers and --scheduler"
        raise BatchError(f"a cluster needs Dask: {remedy}") from None
    from xlv.batch.cluster import Cluster

    if scheduler:
        return Cluster(scheduler, batch, runs[0].folder.parent)
    offer = {"MEMORY": psutil.virtual_memory().total // workers, "GPU": _gpus(runs)}
    _check_needs(runs, offer, f"each of {workers} workers here")
    return Cluster.local(workers, offer, batch, runs[0].folder.parent)


def _gpus(runs: Sequence[Run]) -> int:
    return len(visible_gpus()) if any(run.needs.gpus for run in runs) else 0


def _check_needs(runs: Sequence[Run], offer: dict[str, float], whose: str) -> None:
    for run in runs:
        for name, amount in resources(run).items():
            if amount > offer[name]:
                unit = (lambda n: f"{n / 1e9:.0f} GB") if name == "MEMORY" else (lambda n: f"{n:.0f} GPUs")
                raise BatchError(
                    f"{run.name} needs {unit(amount)} and {whose} has {unit(offer[name])}: correct `needs`, take fewer "
                    "workers, or a larger machine's with --scheduler"
                )


def resources(run: Run) -> dict[str, float]:
    """What a run needs, by the names that workers offer it under."""
    needed = {"MEMORY": run.needs.memory, "GPU": run.needs.gpus}
    return {name: amount for name, amount in needed.items() if amount}


class Here:
    """This machine, one run at a time."""

    def __init__(self, batch: str) -> None:
        self.batch, self.pool, self.busy = batch, ThreadPoolExecutor(1), False

    def submit(self, job: Job, ended: Ended) -> None:
        """Begin an attempt."""
        self.busy = True

        def pass_on(future: Future) -> None:
            self.busy = False
            if not future.cancelled():
                error = future.exception()
                ended(Outcome(False, error=f"{type(error).__name__}: {error}") if error else future.result())

        self.pool.submit(perform, job).add_done_callback(pass_on)

    def workers(self) -> int:
        """One."""
        return 1

    def room(self, run: Run) -> bool:
        """Whether nothing is being made."""
        return not self.busy

    def obstacle(self, run: Run) -> str:
        """Nothing: the needs were checked before."""
        return ""

    def stop(self) -> None:
        """End the attempt that is being made."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        attempt.stop(self.batch)
        self.pool.shutdown(wait=True)
