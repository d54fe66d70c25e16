"""Work side by side: on a processor, several small tasks on a few threads each waste less than one on all of them."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from threadpoolctl import threadpool_info, threadpool_limits

# A pass of few tokens spends much of its time where threads wait for one another; several passes do not wait. No more
# than these, since they take turns in Python between operations.
AT_A_TIME = 4

T = TypeVar("T")


def side_by_side(most: int = AT_A_TIME) -> int:
    """How many tasks run at a time: one for each thread that linear algebra may use here, up to `most`."""
    threads = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return min(max(threads, default=1), most)


def for_each(
    run: Callable[[T], object], items: Iterable[T], turns: int, *, prepare: Callable[[], None] | None = None
) -> None:
    """Call `run` on each item, `turns` at a time, each with its share of numpy's threads.

    `prepare` is called once in each thread. The first error is raised, and what has not begun by then does not begin.
    """
    if turns == 1:
        for item in items:
            run(item)
        return
    failed = Event()

    def call(item: T) -> None:
        if failed.is_set():
            return
        try:
            run(item)
        except BaseException:
            failed.set()
            raise

    share = max(1, side_by_side(most=1 << 16) // turns)
    pool = ThreadPoolExecutor(turns, initializer=prepare)
    with threadpool_limits(share, user_api="blas"):  # one number for all threads
        try:
            for done in [pool.submit(call, item) for item in items]:
                done.result()
        finally:
            pool.shutdown(cancel_futures=True)
