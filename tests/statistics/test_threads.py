"""Tasks side by side: each item once, with its share of numpy's threads, and errors stop what has not begun."""

import subprocess
import sys
import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from xlv.statistics.threads import for_each, side_by_side


@pytest.fixture
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        yield


def blas_threads():
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


def test_each_item_runs_once_with_its_share_of_the_threads(two_threads):
    both = threading.Barrier(2, timeout=30)  # passes only if two run at a time
    ran = []

    def run(item):
        both.wait()
        ran.append((item, blas_threads()))

    for_each(run, range(6), 2)
    assert sorted(ran) == [(item, 1) for item in range(6)]
    assert blas_threads() == 2


def test_every_thread_is_prepared_once():
    both, prepared, ran = threading.Barrier(2, timeout=30), [], set()

    def run(_item):
        both.wait()
        ran.add(threading.current_thread())

    for_each(run, range(4), 2, prepare=lambda: prepared.append(threading.current_thread()))
    assert len(prepared) == 2 and set(prepared) == ran


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_is_raised_and_ends_what_has_not_begun(two_threads, error):
    ran = []

    def run(item):
        ran.append(item)
        raise error(f"item {item}")

    with pytest.raises(error, match="item [01]"):
        for_each(run, range(1000), 2)
    assert len(ran) <= 2
    assert blas_threads() == 2


def test_one_at_a_time_runs_here_in_order():
    seen = []
    for_each(lambda item: seen.append((item, threading.current_thread())), range(3), 1)
    assert seen == [(item, threading.current_thread()) for item in range(3)]


def test_as_many_run_at_a_time_as_there_are_threads_and_no_more_than_asked_for(two_threads):
    assert side_by_side() == 2 and side_by_side(most=1) == 1
    with threadpool_limits(1, user_api="blas"):
        assert side_by_side() == 1


def test_arithmetic_imports_no_torch():
    code = "import sys, xlv.statistics.threads, xlv.statistics.vectors, xlv.statistics.resampling as _"
    done = subprocess.run([sys.executable, "-c", f"{code}; print('torch' in sys.modules)"], capture_output=True)
    assert done.stdout.strip() == b"False"
