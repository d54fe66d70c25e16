"""Whole batches on tiny models: what is killed, fails or is interrupted on the way."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import nbformat
import numpy as np
import psutil
import pytest
from filelock import FileLock

from xlv.batch.conduct import build_batch_book, conduct, perform
from xlv.batch.runs import MARK, RESULTS, plan
from xlv.batch.spec import read_spec
from xlv.profiles import profile_of
from xlv.results import load
from xlv.study import run_study

LIMIT = 300


def until(condition, what):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"waited in vain for {what}")


def processes_of(runs, part=""):
    """Processes of attempts at the runs, and their kernels: those in the folders of attempts."""
    found = []
    for process in psutil.process_iter():
        try:
            inside = any(process.cwd().startswith(str(run.folder)) for run in runs)
            if inside and any(part in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


class Cluster:
    """A Dask scheduler and workers, each started as a process of its own, on loopback."""

    def __init__(self, protocol="tcp", options=()):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.options, self.workers, self.log = ("--protocol", protocol, *options), [], tempfile.TemporaryFile()
        self.address = f"{protocol}://127.0.0.1:{port}"
        self.scheduler = self.command("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")

    def command(self, *arguments):
        command = [sys.executable, "-m", "dask", *arguments, *self.options]
        return subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def worker(self, resources):
        """Start a worker; returns its process."""
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--resources", resources)
        self.workers.append(self.command("worker", self.address, *options))
        return self.workers[-1]

    def end(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def ready(self, count=2):
        """Have so many workers that are alive."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        for _ in range(count - len(self.workers)):
            self.worker("MEMORY=2e9")
        with pytest.importorskip("distributed").Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
        return self


@pytest.fixture(scope="module")
def scheduler():
    pytest.importorskip("distributed")
    made = Cluster()
    yield made
    made.end()


@pytest.fixture
def cluster(scheduler):
    return scheduler.ready()


def same_data(one, other):
    assert set(one.variables) == set(other.variables) and one.attrs["settings"] == other.attrs["settings"]
    for name in one.variables:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=name)


def undisturbed(run, folder):
    """The same results, computed here and now."""
    size = ("data", "languages", "concepts", "pairs", "seed")
    profile = profile_of(run.parameters["profile"], **{name: run.parameters[name] for name in size})
    return run_study(run.model, profile.study, folder)


def test_a_batch_on_dask_of_which_a_worker_is_killed_gives_all_results_and_its_book(spec, models, cluster, tmp_path):
    path = spec(matrix={"models": models}, needs={"memory": "1 GB"})
    wanted, said, died = read_spec(path), [], []
    runs = plan(wanted)

    def kill_a_worker():
        kernel = until(lambda: any(run.record() for run in runs) and processes_of(runs, "ipykernel"), "a run")[0]
        worker = until(lambda: kernel.parent() and kernel.parent().parent(), "its worker")
        died.extend([worker.pid, kernel])
        worker.kill()

    killing = threading.Thread(target=kill_a_worker)
    killing.start()
    assert conduct(wanted, runs, said.append, scheduler=cluster.address) == {}
    killing.join()
    assert died[0] in [worker.pid for worker in cluster.workers] and not died[1].is_running() and not processes_of(runs)
    assert said[0] == "done before: 0 of 3 runs" and said[1].startswith("2 workers at tcp://127.0.0.1:")
    assert said[-1].startswith("done: ") and said[-1].endswith("(3 of 3 ended, 0 failed, about 0:00:00 left)")
    assert sorted(run.attempts() for run in runs) == [1, 1, 2]
    for run in runs:
        [path] = [path for path in run.folder.glob(RESULTS) if path.stem == "recognition"]
        same_data(load(path), undisturbed(run, tmp_path / "again" / run.name))
    index = build_batch_book(wanted, runs, {})
    assert "The runs of this batch" in (index.parent / "book" / "batch-runs.html").read_text()


def test_after_an_interrupt_nothing_goes_on_at_the_workers(spec, cluster, monkeypatch):
    path = spec(notebooks=["idle"], matrix={"models": ["llama"], "seed": [0, 1, 2]})
    runs = plan(read_spec(path))

    def interrupt():
        until(lambda: processes_of(runs, "ipykernel"), "a run")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background ignores interrupts
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            conduct(read_spec(path), runs, print, scheduler=cluster.address)
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: not processes_of(runs), "the end of what was running")
    assert sum(run.attempts() for run in runs) <= 2 and not list(read_spec(path).out.glob(".at-work-*"))


def test_a_scheduler_that_is_lost_ends_the_batch_in_one_line(spec):
    pytest.importorskip("distributed")
    cluster, path = Cluster().ready(), spec(notebooks=["idle"], matrix={"models": ["llama"]})
    runs = plan(read_spec(path))

    def lose():
        until(lambda: processes_of(runs, "ipykernel"), "a run")
        cluster.scheduler.kill()

    threading.Thread(target=lose).start()
    try:
        with pytest.raises(ValueError, match="the scheduler was lost"):
            conduct(read_spec(path), runs, print, scheduler=cluster.address)
        until(lambda: not processes_of(runs), "the end of what was running")
    finally:
        cluster.end()


def test_a_run_whose_process_is_killed_is_taken_up_again_and_its_kernel_ends(spec, start):
    runs = plan(read_spec(spec(notebooks=["idle"], matrix={"models": ["llama", "gpt2"]})))
    batch = start(spec(notebooks=["idle"], matrix={"models": ["llama", "gpt2"]}), "--workers", 2)
    kernel = until(lambda: processes_of(runs[:1], "ipykernel"), "a kernel")[0]
    kernel.parent().kill()
    until(lambda: not kernel.is_running(), "the end of the kernel")
    out, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 0 and "2 of 2 runs done" in out, err
    assert "taken up again: llama: killed by SIGKILL" in err and [run.attempts() for run in runs] == [2, 1]
    assert not processes_of(runs)


def test_a_run_whose_kernel_is_killed_as_when_memory_runs_out_is_taken_up_again(spec, start):
    path = spec(notebooks=["idle"], matrix={"models": ["llama"]})
    runs = plan(read_spec(path))
    batch = start(path)
    until(lambda: processes_of(runs, "ipykernel"), "a kernel")[0].kill()
    out, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 0 and "1 of 1 runs done" in out and runs[0].attempts() == 2, err
    assert (
        "taken up again: llama: notebook idle: its kernel died or did not start, perhaps because memory ran out" in err
    )


def test_when_the_command_is_killed_its_runs_and_their_kernels_end(spec, start):
    path = spec(notebooks=["idle"], matrix={"models": ["llama"]})
    runs = plan(read_spec(path))
    batch = start(path)
    until(lambda: processes_of(runs, "ipykernel"), "a kernel")
    batch.kill()
    until(lambda: not processes_of(runs), "the end of the run")
    assert not runs[0].record()


def test_a_run_that_fails_for_cause_is_reported_with_its_last_line_and_stops_no_other(spec, start, repository):
    (repository / "damaged").mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (repository / "damaged" / name).write_bytes((repository / "llama" / name).read_bytes())
    (repository / "damaged" / "model.safetensors").write_bytes(b"no weights")
    path = spec(matrix={"models": ["damaged", "llama"], "seed": [0, 1]}, exclude=[{"seed": 1}])
    batch = start(path, "--workers", 2)
    out, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 1 and "1 of 2 runs done" in out, err
    [line] = [line for line in out.splitlines() if line.startswith("failed: ")]
    assert re.match(r"failed: damaged-seed-0: notebook q1_recognition failed: \w*Error: .+", line)
    assert "Traceback" not in out + err
    failed, *others = plan(read_spec(path))
    assert all(run.record() for run in others) and len(others) == 1 and not failed.record()
    log = (failed.folder / "attempt-1" / "log.txt").read_text()
    assert log.startswith("damaged-seed-0 on ") and "Traceback" in log
    assert log.strip().splitlines()[-1].endswith(line.removeprefix("failed: damaged-seed-0: "))
    partial = nbformat.read(failed.folder / "attempt-1" / "notebooks" / "q1_recognition.ipynb", as_version=4)
    assert any(output["output_type"] == "error" for cell in partial.cells for output in cell.get("outputs", []))


def test_after_an_interrupt_the_same_command_goes_on(spec, start):
    path = spec(matrix={"models": ["llama"], "seed": [0, 1]}, notebooks=["idle"])
    runs = plan(read_spec(path))
    batch = start(path)
    until(lambda: runs[0].record() and processes_of(runs[1:]), "the second run")
    os.killpg(batch.pid, signal.SIGINT)  # as a terminal does
    _, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 130 and "the same command goes on" in err and "Traceback" not in err
    until(lambda: not processes_of(runs), "the end of what was running")
    made = (runs[0].folder / "done.json").stat().st_mtime_ns
    batch = start(path)
    out, err = batch.communicate(timeout=LIMIT)
    assert batch.returncode == 0 and "2 of 2 runs done" in out and "done before: 1 of 2 runs" in err, err
    assert (runs[0].folder / "done.json").stat().st_mtime_ns == made and runs[1].record()


class KilledWorker(Exception):
    """Named as Dask's."""


GOOD, BAD, KILLED, LOST = ("", False), ("ValueError: no", False), ("killed", True), KilledWorker("four workers died")


def told(monkeypatch, spec, outcomes, begins=True, **changes):
    """Conduct a batch of one run whose attempts end as told; returns its errors and how often it was handed out."""
    wanted, handed = read_spec(spec(matrix={"models": ["llama"]}, **changes)), []

    def attempt(run, _sign, _sharing):
        if begins:
            (run.folder / f"attempt-{run.attempts() + 1}").mkdir(parents=True)
        handed.append(outcomes[len(handed)])
        if isinstance(handed[-1], Exception):
            raise handed[-1]
        return handed[-1]

    monkeypatch.setattr("xlv.batch.conduct.perform", attempt)
    return conduct(wanted, plan(wanted), print), len(handed)


def test_failures_are_tried_again_as_often_as_asked(monkeypatch, spec):
    assert told(monkeypatch, spec, [BAD] * 3, retries=2) == ({"llama": "ValueError: no"}, 3)
    assert told(monkeypatch, spec, [BAD, GOOD], retries=1) == ({}, 2)
    assert told(monkeypatch, spec, [OSError("disk full")], begins=False) == ({"llama": "OSError: disk full"}, 1)


def test_a_killed_attempt_costs_no_retry_but_does_not_go_on_for_ever(monkeypatch, spec):
    assert told(monkeypatch, spec, [KILLED, BAD, GOOD], retries=1) == ({}, 3)
    assert told(monkeypatch, spec, [KILLED] * 4) == ({"llama": "killed"}, 4)
    assert told(monkeypatch, spec, [LOST] * 4)[0] == {"llama": "KilledWorker: four workers died"}
    assert told(monkeypatch, spec, [LOST] * 6 + [GOOD], begins=False) == ({}, 7)  # its workers died before it began


def test_two_commands_do_not_work_in_one_folder(spec):
    wanted = read_spec(spec())
    wanted.out.mkdir()
    with FileLock(wanted.out / MARK), pytest.raises(ValueError, match="another `xlv batch` is at work"):
        conduct(wanted, plan(wanted), print)


def test_an_attempt_over_its_limit_is_stopped_and_says_so(spec, repository):
    run = plan(read_spec(spec(needs={"time": "1 s"})))[0]
    sign = repository / "sign"
    sign.touch()
    assert perform(run, sign) == ("TimeoutError: stopped at its limit of 1 s", False)
    assert (run.folder / "attempt-1" / "log.txt").read_text().startswith("llama-seed-0 on ") and not run.record()
    assert not processes_of([run])


def test_a_run_gets_the_threads_and_gpus_that_it_needs(spec, repository, monkeypatch):
    notebook = nbformat.read(repository / "notebooks" / "idle.ipynb", as_version=4)
    notebook.cells[-1]["source"] = "import json, os\nprint(json.dumps(dict(os.environ)))"
    nbformat.write(notebook, repository / "notebooks" / "idle.ipynb")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    run = plan(read_spec(spec(notebooks=["idle"], needs={"threads": 3, "gpus": 0})))[0]
    (repository / "sign").touch()
    assert perform(run, repository / "sign", 2) == ("", False) and run.record()["attempt"] == "attempt-1"
    executed = nbformat.read(run.folder / "attempt-1" / "notebooks" / "idle.ipynb", as_version=4)
    found = json.loads(executed.cells[-1]["outputs"][0]["text"])
    assert found["OMP_NUM_THREADS"] == found["MKL_NUM_THREADS"] == "3" and found["CUDA_VISIBLE_DEVICES"] == ""


def test_a_run_that_needs_more_than_there_is_is_refused_before_anything_starts(spec):
    for needs, workers, message in (
        ({"memory": "900 TB"}, 1, "needs 900000 GB, each worker here has"),
        ({"gpus": 2}, 2, "needs GPUs, which workers share by Dask only"),
    ):
        wanted = read_spec(spec(needs=needs))
        with pytest.raises(ValueError, match=message):
            conduct(wanted, plan(wanted), print, workers=workers)
    assert not list(wanted.out.glob("runs/*"))


def test_without_dask_a_cluster_is_refused_with_what_to_install(spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    wanted = read_spec(spec())
    with pytest.raises(ValueError, match=r"pip install 'xlv\[batch\]'"):
        conduct(wanted, plan(wanted), print, scheduler="tcp://127.0.0.1:9")


def test_what_is_no_scheduler_is_named_in_one_line_in_time(spec, start):
    pytest.importorskip("distributed")
    path = spec(notebooks=["idle"], matrix={"models": ["llama"]})
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, as a server of pages does, and waits
        for place in (f"tcp://127.0.0.1:{silent.getsockname()[1]}", "tcp://127.0.0.1"):
            command = start(path, "--scheduler", place)
            _, err = command.communicate(timeout=LIMIT)
            assert command.returncode == 2 and "Traceback" not in err
            assert err.splitlines()[-1].startswith(f"error: no Dask scheduler answers at {place} (")


def test_a_worker_s_address_is_not_taken_for_the_scheduler_s(spec, cluster):
    with pytest.importorskip("distributed").Client(cluster.address, set_as_default=False) as client:
        worker = next(iter(client.scheduler_info()["workers"]))
    wanted = read_spec(spec(notebooks=["idle"], matrix={"models": ["llama"]}))
    with pytest.raises(ValueError, match=f"answers at {worker} .this is a Worker.: expected"):
        conduct(wanted, plan(wanted), print, scheduler=worker)


def test_a_run_that_no_worker_offers_enough_for_waits_for_one_and_says_so(spec, cluster):
    wanted, said = read_spec(spec(notebooks=["idle"], matrix={"models": ["llama"]}, needs={"gpus": 1})), []
    offering = []

    def say(text):
        said.append(text)
        if "waiting" in text:
            offering.append(cluster.worker("GPU=1"))

    assert conduct(wanted, plan(wanted), say, scheduler=cluster.address) == {}
    assert "waiting: llama needs a worker with the resources {'GPU': 1}" in said and len(offering) == 1


def test_the_book_compares_the_runs_on_the_same_texts_and_lists_all_others(spec, monkeypatch):
    path = spec(matrix={"models": ["llama", "gpt2"], "pairs": [8, 16]}, parameters={"concepts": "morality"})
    wanted, built = read_spec(path), []
    runs = plan(wanted)
    for run in runs[:3]:
        run.keep(seconds=1.0)
    monkeypatch.setattr("xlv.batch.conduct.build_book", lambda *arguments, **_: built.append(arguments))
    build_batch_book(wanted, runs, {runs[3].name: "ValueError: `no`\nend"})
    [(parameters, folder, banner, pages)] = built
    assert parameters["models"] == "llama-pairs-8,gpt2-pairs-8" and parameters["profile"] == "stored"
    assert parameters["pairs"] == 0 and parameters["results"] == str(wanted.out / "book" / "compared")
    assert "2 of 4 runs" in banner and folder == wanted.out / "book"
    assert "- llama-pairs-8: compared in this book" in pages["batch-runs"]
    assert "- llama-pairs-16: done, on other texts" in pages["batch-runs"]
    assert "- gpt2-pairs-16: failed: `ValueError: 'no' end`" in pages["batch-runs"]
