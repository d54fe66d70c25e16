"""Work side by side: on a processor, several small tasks on a few threads each waste less than one on all of them."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

# A pass of few tokens spends much of its time where threads wait for one another; several passes do not wait. No more
# than these, since they take turns in Python between operations.
MOST = 4

T = TypeVar("T")


def side_by_side(device: torch.device | None = None, most: int = MOST) -> int:
    """How many tasks run at a time on a device, the processor unless said: there up to one a thread, elsewhere one."""
    return 1 if device and device.type != "cpu" else min(torch.get_num_threads(), most)


def for_each(run: Callable[[T], object], items: Iterable[T], turns: int) -> None:
    """Call `run` on each item, `turns` at a time, each with its share of the threads.

    The first error is raised, and what has not begun by then does not begin.
    """
    if turns == 1:
        for item in items:
            run(item)
        return
    threads = torch.get_num_threads()
    share = threads // turns
    inferring = torch.is_inference_mode_enabled()  # of this thread only
    failed = Event()

    def call(item: T) -> None:
        if failed.is_set():
            return
        try:
            with torch.inference_mode(inferring):
                run(item)
        except BaseException:
            failed.set()
            raise

    pool = ThreadPoolExecutor(turns, initializer=torch.set_num_threads, initargs=(share,))
    with threadpool_limits(share, user_api="blas"):  # numpy's, which is one for all threads
        try:
            for done in [pool.submit(call, item) for item in items]:
                done.result()
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)  # threads yet to come take over the number that was set last, in any thread
