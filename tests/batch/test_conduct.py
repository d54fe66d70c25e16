"""Whole batches on tiny models: what is killed, fails or is interrupted on the way."""

import json
import os
import signal
import time

import numpy as np
import psutil
import pytest

from tests.batch.conftest import start
from xlv.batch.plan import plan
from xlv.batch.spec import read_spec
from xlv.batch.tree import MARK
from xlv.notebook import profile_of
from xlv.report.results import load
from xlv.study import run_study

LIMIT = 300


def until(condition, what):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"waited in vain for {what}")


def attempts_of(runs):
    """Pids of the processes of attempts at the runs, with the pid of the worker that started each."""
    found = {}
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK, "")
            if "xlv.batch.process" in process.cmdline() and any(mark.startswith(str(run.folder)) for run in runs):
                found[process.pid] = process.ppid()
        except psutil.Error:
            continue
    return found


def same_data(one, other):
    assert set(one.variables) == set(other.variables) and one.attrs["settings"] == other.attrs["settings"]
    for name in one.variables:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=name)


def undisturbed(run, folder):
    """The same results, computed here and now."""
    profile = profile_of(dict(run.parameters))
    return run_study(run.model, profile.study, folder)


def test_a_batch_of_which_a_worker_is_killed_ends_with_the_results_of_an_undisturbed_one(spec, tmp_path):
    runs = plan(read_spec(spec()))
    batch = start(spec(), "--workers", 2)
    process, worker = until(lambda: sum(bool(r.record()) for r in runs) >= 1 and attempts_of(runs), "a run").popitem()
    os.kill(worker, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(process), "the end of the dead worker's run")
    out, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 0, err
    assert "6 of 6 runs done" in out and "taken up again: its worker died" in err
    assert sorted(len(run.attempts()) for run in runs) == [1, 1, 1, 1, 1, 2]
    for run in runs:
        same_data(load(run.results / "recognition.nc"), undisturbed(run, tmp_path / "again" / run.name))
    assert not attempts_of(runs)


def test_a_run_that_fails_for_cause_is_reported_with_its_last_line_and_stops_no_other(spec, repository):
    path = spec()
    (repository / "gpt2" / "model.safetensors").write_bytes(b"damaged")
    content = path.read_text().replace("seed:\n  - 0\n  - 1", "seed:\n  - 0\n  - 1\nexclude: []")
    path.write_text(content)
    runs = plan(read_spec(spec(exclude=[{"models": "gpt2", "seed": 1}], matrix={
        "models": ["llama", "gpt2", "bloom"], "seed": [0, 1, 2]}, overrides=[])))  # fmt: skip
    assert len(runs) == 8
