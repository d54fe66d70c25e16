"""Whole batches on tiny models: what is killed, fails or is interrupted on the way."""

import io
import os
import re
import signal
import time

import nbformat
import numpy as np
import psutil
import pytest
from rich.console import Console

from xlv.batch.attempt import Outcome
from xlv.batch.conduct import _alone, conduct
from xlv.batch.executors import BatchError
from xlv.batch.plan import plan
from xlv.batch.spec import read_spec
from xlv.batch.tree import MARK
from xlv.edition.notebook import profile_of
from xlv.results import load
from xlv.study import run_study

LIMIT = 600


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


def test_a_batch_of_which_a_worker_is_killed_ends_with_the_results_of_an_undisturbed_one(spec, start, tmp_path):
    runs = plan(read_spec(spec()))
    batch = start(spec(), "--workers", 2)
    process, worker = until(lambda: sum(bool(r.record()) for r in runs) >= 1 and attempts_of(runs), "a run").popitem()
    os.kill(worker, signal.SIGKILL)
    until(lambda: process not in attempts_of(runs), "the end of the dead worker's run")
    out, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 0, err
    assert "6 of 6 runs done" in out and "taken up again: its worker died" in err
    assert sorted(len(run.attempts()) for run in runs) == [1, 1, 1, 1, 1, 2]
    for run in runs:
        same_data(load(run.results / "recognition.nc"), undisturbed(run, tmp_path / "again" / run.name))
    assert not attempts_of(runs)


def test_a_run_that_fails_for_cause_is_reported_with_its_last_line_and_stops_no_other(spec, start, models, repository):
    (repository / "damaged").mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (repository / "damaged" / name).write_bytes((repository / "llama" / name).read_bytes())
    (repository / "damaged" / "model.safetensors").write_bytes(b"no weights")
    path = spec(
        matrix={"models": ["damaged", *models], "seed": [0, 1]},
        exclude=[{"models": "damaged", "seed": 1}, {"models": "bloom", "seed": 1}],
    )
    batch = start(path, "--workers", 2)
    out, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 1 and "5 of 6 runs done" in out, err
    [line] = [line for line in out.splitlines() if line.startswith("failed: ")]
    assert re.match(r"failed: damaged-seed-0: \w*Error: .+", line) and "Traceback" not in out + err
    failed, *others = plan(read_spec(path))
    assert all(run.record() for run in others) and len(others) == 5 and not failed.record()
    log = (failed.attempts()[0] / "log.txt").read_text()
    assert "Traceback" in log and log.strip().splitlines()[-1] in line
    partial = nbformat.read(failed.attempts()[0] / "notebooks" / "short.ipynb", as_version=4)
    assert any(output["output_type"] == "error" for cell in partial.cells for output in cell.get("outputs", []))


def test_after_an_interrupt_the_same_command_goes_on(spec, start):
    path = spec(matrix={"models": ["llama"], "seed": [0, 1]}, notebooks=["idle"])
    runs = plan(read_spec(path))
    batch = start(path)
    until(lambda: runs[0].record() and attempts_of(runs[1:]), "the second run")
    os.killpg(batch.pid, signal.SIGINT)  # as a terminal does
    _, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 130 and "the same command goes on" in err and "Traceback" not in err
    until(lambda: not attempts_of(runs), "the end of what was running")
    made = (runs[0].folder / "done.json").stat().st_mtime_ns
    batch = start(path)
    out, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 0 and "2 of 2 runs done" in out and "done before: 1 of 2 runs" in err, err
    assert (runs[0].folder / "done.json").stat().st_mtime_ns == made and runs[1].record()


class Told:
    """An executor that reports outcomes that it is told, in order, without any process."""

    def __init__(self, outcomes):
        self.outcomes, self.jobs = list(outcomes), []

    def submit(self, job, ended):
        self.jobs.append(job.run.name)
        outcome, begins = self.outcomes.pop(0)
        if begins:
            (job.run.folder / f"attempt-{len(job.run.attempts()) + 1}").mkdir(parents=True)
        ended(outcome)

    def workers(self):
        return 1

    def room(self, run):
        return True

    def obstacle(self, run):
        return ""

    def stop(self):
        self.stopped = True


def told(monkeypatch, spec, outcomes, **changes):
    wanted = read_spec(spec(matrix={"models": ["llama"]}, **changes))
    maker = Told(outcomes)
    monkeypatch.setattr("xlv.batch.conduct.executor", lambda *_: maker)
    return conduct(wanted, plan(wanted), Console(file=io.StringIO())), maker


GOOD, BAD, KILLED = Outcome(True), Outcome(False, error="ValueError: no"), Outcome(False, error="killed", lost=True)


def test_failures_are_tried_again_as_often_as_asked(monkeypatch, spec):
    failed, maker = told(monkeypatch, spec, [(BAD, True)] * 3, retries=2)
    assert failed == {"llama": "ValueError: no"} and len(maker.jobs) == 3 and maker.stopped
    failed, maker = told(monkeypatch, spec, [(BAD, True), (GOOD, True)], retries=1)
    assert failed == {} and len(maker.jobs) == 2


def test_a_killed_attempt_costs_no_retry_but_does_not_go_on_for_ever(monkeypatch, spec):
    failed, maker = told(monkeypatch, spec, [(KILLED, True), (BAD, True), (GOOD, True)], retries=1)
    assert failed == {} and len(maker.jobs) == 3
    failed, maker = told(monkeypatch, spec, [(KILLED, True)] * 4)
    assert failed == {"llama": "killed"} and len(maker.jobs) == 4
    failed, maker = told(monkeypatch, spec, [(KILLED, False)] * 6 + [(GOOD, True)])  # its worker died before it began
    assert failed == {} and len(maker.jobs) == 7


def test_two_commands_do_not_work_in_one_folder(spec):
    wanted = read_spec(spec())
    with _alone(wanted.out), pytest.raises(BatchError, match="another `xlv batch` is at work"):
        conduct(wanted, plan(wanted), Console(file=io.StringIO()))
