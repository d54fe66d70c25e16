"""Several forward passes side by side: on a processor, small batches on few threads waste less than on many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

# A pass of few tokens spends much of its time where threads wait for one another; several passes do not wait. Each
# has its share of the threads, and no more passes than these, since they take turns in Python between operations.
_MOST = 4

T = TypeVar("T")


def side_by_side(device: torch.device) -> int:
    """How many passes run at a time on a device: on a processor up to one a thread, elsewhere one."""
    return min(torch.get_num_threads(), _MOST) if device.type == "cpu" else 1


def for_each(run: Callable[[T], object], items: Iterable[T], device: torch.device) -> None:
    """Call `run` on each item, several at a time; the first error is raised, and what has not begun does not begin."""
    threads, workers = torch.get_num_threads(), side_by_side(device)
    if workers == 1:
        for item in items:
            run(item)
        return
    inferring = torch.is_inference_mode_enabled()  # of this thread only

    def call(item: T) -> None:
        with torch.inference_mode(inferring):
            run(item)

    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads // workers,))
    try:
        for done in [pool.submit(call, item) for item in items]:
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # threads yet to come take over the number that was set last, in any thread
