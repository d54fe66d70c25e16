import sys
import threading

import pytest

from xlv.batch.attempt import Job, perform
from xlv.batch.executors import BatchError, executor
from xlv.batch.plan import plan
from xlv.batch.spec import read_spec
from xlv.models.devices import claimed_gpus


def test_an_attempt_over_its_limit_is_stopped_and_says_so(spec, repository):
    run = plan(read_spec(spec(needs={"time": "1 s"})))[0]
    outcome = perform(Job(run, repository, "batch", {}))
    assert not outcome.done and not outcome.lost and outcome.error == "TimeoutError: stopped at its limit of 1 s"
    assert (run.folder / "attempt-1" / "log.txt").read_text().startswith("llama-seed-0 on ") and not run.record()


def test_a_run_that_needs_more_than_there_is_is_refused_before_anything_starts(spec, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    for needs, message in (
        ({"memory": "900 TB"}, "needs 900000 GB and this machine has"),
        ({"gpus": 2}, "needs 2 GPUs and this machine has 1 GPUs"),
    ):
        with pytest.raises(BatchError, match=message):
            executor(plan(read_spec(spec(needs=needs))), "batch", 0, "")


def test_without_dask_a_cluster_is_refused_with_what_to_install(spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BatchError, match=r"pip install 'xlv\[batch\]'"):
        executor(plan(read_spec(spec())), "batch", 2, "")


def test_a_scheduler_that_does_not_answer_is_named(spec, monkeypatch):
    pytest.importorskip("distributed")  # before its settings are changed: leaving them would else drop its defaults
    dask = pytest.importorskip("dask")
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        with pytest.raises(BatchError, match="no Dask scheduler answers at tcp://127.0.0.1:9"):
            executor(plan(read_spec(spec())), "batch", 0, "tcp://127.0.0.1:9")


class Scheduler:
    """Of a cluster what `room` asks: a worker with a GPU and two without."""

    def scheduler_info(self, n_workers):
        offers = [{"GPU": 1, "MEMORY": 8e9}, {"MEMORY": 8e9}, {"MEMORY": 4e9}]
        return {"workers": {f"w{i}": {"nthreads": 1, "resources": offer} for i, offer in enumerate(offers)}}

    status = "running"


def test_a_run_is_handed_out_when_a_worker_that_offers_what_it_needs_is_free(spec):
    cluster = pytest.importorskip("xlv.batch.cluster").Cluster.__new__(pytest.importorskip("xlv.batch.cluster").Cluster)
    cluster.client, cluster.address, cluster._begun, cluster._seen = Scheduler(), "tcp://s:1", {}, (float("-inf"), {})
    plain, on_gpu, large = (plan(read_spec(spec(needs=needs)))[0] for needs in ({}, {"gpus": 1}, {"memory": "9 GB"}))
    assert cluster.room(plain) and cluster.room(on_gpu) and not cluster.room(large)
    assert cluster.obstacle(plain) == "" and "no worker offers MEMORY=9e+09" in cluster.obstacle(large)
    cluster._begun["one"] = None, {"GPU": 1}
    assert cluster.room(plain) and not cluster.room(on_gpu)
    cluster._begun |= {"two": (None, {}), "three": (None, {})}
    assert not cluster.room(plain)


def test_a_gpu_is_claimed_by_one_at_a_time(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-xlv-a,GPU-xlv-b")
    got = []

    def claim_both():
        with claimed_gpus(2, poll=0.01) as names:
            got.append(names)

    with claimed_gpus(1) as first, claimed_gpus(1) as second:
        assert sorted(first + second) == ["GPU-xlv-a", "GPU-xlv-b"]
        waiting = threading.Thread(target=claim_both)
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive() and not got
    waiting.join(5)
    assert got == [["GPU-xlv-a", "GPU-xlv-b"]]
    with pytest.raises(ValueError, match="expected 3 GPUs, this worker sees 2"):
        with claimed_gpus(3):
            pass
