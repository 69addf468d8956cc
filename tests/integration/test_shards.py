"""Runs whose database is described and searched in shards: the records of one process, whatever is lost meanwhile."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import harness
from harness.core.errors import BadParameter, Errors, SpecError
from harness.core.progress import SilentProgress
from harness.core.threads import reproducible
from harness.data.folders import data_folders
from harness.runs import runner
from harness.runs.executors.calls import ShardsLost, calls
from harness.runs.executors.choose import Options
from harness.runs.parts import describe_parts
from harness.runs.plan import make_plan
from harness.runs.sharding import Sharding
from harness.runs.single import execute
from harness.runs.store import Store
from harness.search import sharded, stored_rows


def descriptors(folder, n: int = 600, queries: int = 20, d: int = 8, seed: int = 0) -> dict:
    """A spec of drawn descriptors in files, with ties and distractors, written to a folder."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (n, d)) + np.eye(1, d)  # many are equal, none is zero
    np.save(folder / "database.npy", rows.astype(np.float32))
    np.save(folder / "queries.npy", rows[:queries] + rng.normal(size=(queries, d)).astype(np.float32))
    half = n // 2
    truth = [{"image": f"q{i}", "easy": [i], "hard": [i + queries], "junk": [i + 2 * queries]} for i in range(queries)]
    (folder / "gnd.json").write_text(json.dumps({"imlist": [str(i) for i in range(half)], "queries": truth}))
    files = {"database": str(folder / "database.npy"), "queries": str(folder / "queries.npy")}
    return {
        "name": "sharded",
        "task": "retrieval",
        "datasets": [{"descriptors": {"ground_truth": str(folder / "gnd.json"), "distractors": n - half}}],
        "methods": {"descriptors": [{"drawn": files}], "whitening": "pca", "expansion": ["none", "aqe"]},
    }


def run(spec, folder, **options):
    return harness.run(spec, runs=folder / "runs", cache=folder / "cache", options=Options(**options))


def test_records_of_sharded_runs_are_those_of_whole_ones(tmp_path, monkeypatch, without_costs):
    monkeypatch.setattr(stored_rows, "LEAST_ROWS", 16)
    searched = []
    kept = sharded.search_shard
    monkeypatch.setattr(sharded, "search_shard", lambda job: searched.append(len(job.shard)) or kept(job))
    spec = descriptors(tmp_path)
    whole = run(spec, tmp_path / "whole")
    assert searched == []
    shards = run(spec, tmp_path / "shards", shards=5)
    assert [record.status for record in whole] == ["done"] * 2
    assert list(map(without_costs, shards)) == list(map(without_costs, whole))
    assert len(searched) == 2 * 5
    assert sum(searched) == 2 * 600
    assert list((tmp_path / "shards" / "cache" / "searches").iterdir()) == []


def test_the_database_is_described_in_parts_once_for_all_runs(tmp_path, toy, monkeypatch, without_costs):
    from harness.retrieval.pipeline import RetrievalTask

    parts = []
    kept = RetrievalTask.describe_part
    monkeypatch.setattr(RetrievalTask, "describe_part", lambda self, part: parts.append(part) or kept(self, part))
    spec = {
        "name": "toy",
        "task": "retrieval",
        "datasets": "toy-images",
        "methods": {"backbone": "colour", "pooling": ["mac", "spoc"], "whitening": ["none", "pca"]},
        "plugins": [toy],
    }
    shards = run(spec, tmp_path / "shards", shards=3)
    whole = run(spec, tmp_path / "whole")
    assert list(map(without_costs, shards)) == list(map(without_costs, whole))
    assert parts == [(0, 3), (1, 3), (2, 3)] * 2
    stages = shards[0].cost["describe database"]
    assert stages.cached
    assert stages.cpu_s > 0


def test_distractors_are_described_in_parts_for_each_power_of_scales(tmp_path, toy):
    spec = {
        "name": "toy",
        "task": "retrieval",
        "datasets": "toy-images",
        "methods": {"backbone": "colour", "pooling": "mac", "whitening": ["none", "pca"]},
        "protocol": {"scales": [1.0, 0.5], "scale_power": [1.0, "inf"]},
        "plugins": [toy],
    }
    given = []

    class Executor:
        slots, contended = 9, False

        def submit(self, run, job):
            given.append((run.protocol.scale_power, run.part))

        def finished(self, seconds):
            return [SimpleNamespace(record=SimpleNamespace(failure=None)) for _ in given]

        def close(self):
            pass

    plan = make_plan(spec, data_folders(tmp_path / "data", tmp_path / "cache"))
    describe_parts(plan.runs, lambda run: _Job(), Executor(), 2, SilentProgress())
    assert given == [(1.0, (0, 2)), (1.0, (1, 2)), ("inf", (0, 2)), ("inf", (1, 2))]


@dataclass
class _Job:
    part: object = None
    contended: bool = False


def test_a_run_that_another_process_does_while_parts_are_described_is_not_done_again(tmp_path, monkeypatch):
    spec = descriptors(tmp_path)
    spec["methods"]["expansion"] = "none"
    (other,) = run(spec, tmp_path)
    monkeypatch.setattr(runner, "describe_parts", lambda *_: Store(tmp_path / "shards" / "runs").write(other))
    assert run(spec, tmp_path / "shards", shards=2) == [other]


def test_a_part_that_fails_is_left_to_the_run(tmp_path, toy):
    spec = {
        "name": "toy",
        "task": "retrieval",
        "datasets": "toy-images",
        "methods": {"backbone": "colour", "pooling": [{"broken": {"mode": "raise"}}, "mac"]},
        "plugins": [toy],
    }
    with pytest.warns(UserWarning, match="part 1 of 2 of .*broken.* failed") as warned:
        records = run(spec, tmp_path, shards=2)
    assert sum("failed" in str(one.message) for one in warned) == 1
    assert [record.status for record in records] == ["failed", "done"]
    assert records[0].failure.code == "RuntimeError"


def test_an_approximate_search_says_its_recall_and_misses_what_it_does_not_list(tmp_path):
    spec = descriptors(tmp_path, n=4000)
    spec["methods"] = {"descriptors": spec["methods"]["descriptors"]}
    spec["protocol"] = {"depth": 100}
    (exact,) = run(spec, tmp_path)
    spec["protocol"] = {"depth": 100, "probes": 8}
    with pytest.raises(Errors, match="probes"):
        run(spec, tmp_path)
    spec["protocol"] = {"search": "ivf-pq"}
    with pytest.raises(Errors, match=r"(?s)depth = 0 is not allowed.*lists the best images only"):
        run(spec, tmp_path)
    spec["protocol"] = {"depth": 100, "search": "ivf-pq", "probes": 8}
    (record,) = run(spec, tmp_path)
    (sharded_record,) = run(spec, tmp_path / "shards", shards=3)
    assert record.id != exact.id
    assert record.versions.keys() - exact.versions.keys() == {"ivf-pq"}
    report = record.details["notes"]["search"]
    assert report["method"] == "ivf-pq"
    assert report["probes"] == 8
    assert 0.2 < report["recall@100"] <= 1
    assert report["sampled"] == 20
    assert {"build index", "measure recall", "search"} <= record.cost.keys()
    assert 0 < record.metrics["map_medium"] <= exact.metrics["map_medium"] + 0.05
    assert sharded_record.status == "done"
    assert list((tmp_path / "cache" / "searches").iterdir()) == []


def test_a_lost_process_costs_its_calls_only(tmp_path):
    mark = str(tmp_path / "killed")
    dies = "__import__('os').kill(__import__('os').getpid(), 9)"
    dies_once = f"__import__('os').path.exists({mark!r}) or (open({mark!r}, 'w'), {dies})"
    with calls(Sharding(3, "processes", workers=2), tmp_path) as jobs:
        assert jobs(eval, ["1 + 1", dies_once, "2 + 2"], "sums") == [2, True, 4]
        with pytest.raises(ShardsLost, match="sums: processes were lost 3 times"):
            jobs(eval, [dies], "sums")
        with pytest.raises(ZeroDivisionError):
            jobs(eval, ["1 / 0"], "sums")


def test_a_process_lost_while_others_are_started_costs_its_calls_only(tmp_path, monkeypatch):
    class Pool(ThreadPoolExecutor):
        broken = False

        def __init__(self, workers, context):
            super().__init__(workers)

        def submit(self, function, *tasks):
            if tasks == ("2 + 2",) and not Pool.broken:
                Pool.broken = True
                raise BrokenProcessPool
            return super().submit(function, *tasks)

    monkeypatch.setattr("harness.runs.executors.calls.ProcessPoolExecutor", Pool)
    with calls(Sharding(3, "processes", workers=2), tmp_path) as jobs:
        assert jobs(eval, ["1 + 1", "2 + 2", "3 + 3"], "sums") == [2, 4, 6]


def test_processes_of_shards_share_the_threads_of_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    monkeypatch.setattr("harness.runs.executors.calls.ProcessPoolExecutor", lambda n, _: ThreadPoolExecutor(n))
    with reproducible(), calls(Sharding(2, "processes", workers=2), tmp_path) as jobs:
        assert jobs(os.environ.get, ["OMP_NUM_THREADS"], "threads") == ["3"]


def test_jobs_of_a_search_may_take_as_long_as_the_run_and_are_cancelled_with_it(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    from submitit.core.utils import FailedJobError

    cancelled = []

    class Job:
        def __init__(self, task):
            self.task = task

        def result(self):
            raise FailedJobError(self.task)

        def cancel(self, check):
            cancelled.append(self.task)

    executor = SimpleNamespace(cluster="local", map_array=lambda function, tasks: list(map(Job, tasks)))
    limits = []
    monkeypatch.setattr(
        "harness.runs.executors.submitting.submitter", lambda _, limit, __: limits.append(limit) or executor
    )
    sharding = Options(executor="slurm", seconds=7200, shards=2).sharding
    with calls(sharding, tmp_path) as jobs, pytest.raises(FailedJobError, match="first"):
        jobs(eval, ["first", "second"], "sums")
    assert cancelled == ["first", "second"]
    assert [limit.seconds for limit in limits] == [7200]


def test_a_record_says_that_other_machines_searched(tmp_path, toy, monkeypatch):
    pytest.importorskip("submitit")

    def done(function, tasks):
        return [SimpleNamespace(result=partial(function, task)) for task in tasks]

    executor = SimpleNamespace(cluster="local", map_array=done)
    monkeypatch.setattr("harness.runs.executors.submitting.submitter", lambda *_: executor)
    methods = {"backbone": "colour", "pooling": "mac"}
    spec = {"name": "toy", "task": "retrieval", "datasets": "toy-images", "methods": methods, "plugins": [toy]}
    folders = data_folders(tmp_path / "data", tmp_path / "cache")
    (whole,) = make_plan(spec, folders).runs
    said = [
        execute(replace(whole, sharding=sharding), folders, SilentProgress()).environment.get("shards")
        for sharding in (None, Sharding(2), Sharding(2, "slurm"))
    ]
    assert said == [None, None, 2]


def test_the_command_line_names_shards():
    from harness.cli.run import _executor_options

    options = _executor_options("processes", 4, None, None, 0, None, ["slurm_partition=gpu"], 8)
    assert options.sharding == Sharding(8, "slurm", 4, "", (("slurm_partition", "gpu"),))


def test_a_wrong_number_of_shards_is_refused(tmp_path, toy):
    with pytest.raises(BadParameter, match="-1 shards are too few"):
        Options(shards=-1)
    methods = {"learning": {"supervised": {"epochs": 1}}, "acquisition": "random"}
    spec = {"name": "toy", "task": "active-learning", "datasets": "toy-classes", "methods": methods, "plugins": [toy]}
    with pytest.raises(SpecError, match="runs of active learning have no shards"):
        run(spec, tmp_path, shards=2)


def test_shards_are_handed_out_and_runs_are_done_here():
    class Client:
        scheduler = SimpleNamespace(address="tcp://10.0.0.1:8786")

    for scheduler in ("tcp://10.0.0.1:8786", Client(), SimpleNamespace(scheduler_address="tcp://10.0.0.1:8786")):
        options = Options(executor="dask", scheduler=scheduler, workers=3, shards=8)
        assert options.sharding == Sharding(8, "dask", 3, "tcp://10.0.0.1:8786")
        assert (options.of_whole_runs.executor, options.of_whole_runs.workers) == ("processes", 1)
    assert Options(executor="dask", scheduler="tcp://10.0.0.1:8786").sharding is None


@pytest.mark.slow  # imports distributed
def test_a_scheduler_that_does_not_answer_is_said(tmp_path, free_port, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("harness.runs.executors.calls._CONNECT_SECONDS", 0.5)
    sharding = Sharding(2, "dask", scheduler=f"tcp://127.0.0.1:{free_port}")
    with pytest.raises(ShardsLost, match="no Dask scheduler answers"), calls(sharding, tmp_path):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "slurm"])
def test_every_executor_gives_the_records_of_whole_runs(tmp_path, executor, without_costs):
    spec = descriptors(tmp_path, n=6000)
    slurm = (("cluster", "local"),) if executor == "slurm" else ()
    shards = run(spec, tmp_path / "shards", executor=executor, workers=2, shards=3, slurm=slurm)
    whole = run(spec, tmp_path / "whole")
    assert list(map(without_costs, shards)) == list(map(without_costs, whole))
