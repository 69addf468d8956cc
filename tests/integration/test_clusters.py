"""Dask and submitit as real processes on this machine: the records are those of one process."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

import harness
from harness.core.errors import SpecError
from harness.runs.executors.choose import Options
from harness.runs.executors.job import Limits
from harness.runs.executors.slurm import Slurm

HOSTILE = str(Path(__file__).parents[1] / "fixtures" / "hostile.py")


def spec(toy: str, numbers: list[int], seconds: float = 0.0) -> dict:
    fine = {"hostile": {"how": "fine", "seconds": seconds, "number": numbers}}
    return {
        "name": "toy",
        "task": "retrieval",
        "datasets": "toy-images",
        "methods": {"backbone": "colour", "pooling": ["mac", fine, {"hostile": {"how": "exception"}}]},
        "plugins": [toy, HOSTILE],
    }


def plain(records) -> list[dict]:
    timed = {"started", "finished", "cost", "figures", "environment", "failure"}
    return [{**r.model_dump(exclude=timed), "failure": r.failure and r.failure.code} for r in records]


@pytest.mark.slow
def test_dask_with_a_worker_killed_in_the_middle_gives_the_records_of_one_process(tmp_path, toy, cluster):
    address, (_, first, _) = cluster
    given = spec(toy, [1, 2, 3, 4, 5, 6], seconds=0.05)
    done = []

    class Watching:
        def update(self, label, finished, total):
            if label == "runs" and finished >= 2 and not done:
                done.append(finished)
                os.kill(first.pid, signal.SIGKILL)

    options = Options(executor="dask", scheduler=address, threads=1)
    folders = {"runs": tmp_path / "dask", "cache": tmp_path / "a"}
    records = harness.run(given, **folders, options=options, progress=Watching())
    assert done
    assert first.poll() == -signal.SIGKILL
    alone = harness.run(given, runs=tmp_path / "alone", cache=tmp_path / "b")
    assert plain(records) == plain(alone)
    assert [record.status for record in records] == ["done"] * 7 + ["failed"]


def test_no_scheduler_is_the_users_mistake(tmp_path, toy, free_port, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("harness.runs.executors.dask._CONNECT_SECONDS", 1)
    options = Options(executor="dask", scheduler=f"tcp://127.0.0.1:{free_port}")
    with pytest.raises(SpecError, match="no Dask scheduler"):
        harness.run(spec(toy, [1]), runs=tmp_path / "runs", cache=tmp_path / "cache", options=options)


@pytest.mark.slow  # each job is a new interpreter that loads torch
def test_submitit_gives_the_records_of_one_process(tmp_path, toy):
    pytest.importorskip("submitit")
    options = Options(executor="slurm", workers=2, slurm=(("cluster", "local"),), threads=1, seconds=60)
    given = spec(toy, [1])
    records = harness.run(given, runs=tmp_path / "slurm", cache=tmp_path / "a", options=options)
    alone = harness.run(given, runs=tmp_path / "alone", cache=tmp_path / "b")
    assert plain(records) == plain(alone)
    assert not (tmp_path / "a" / "slurm").exists()


def test_no_slurm_is_the_users_mistake(tmp_path, toy):
    pytest.importorskip("submitit")
    with pytest.raises(SpecError, match=re.escape("submitit cannot use slurm")):
        harness.run(spec(toy, [1]), runs=tmp_path / "runs", cache=tmp_path / "cache", options=Options(executor="slurm"))


def test_a_process_that_ends_leaves_the_jobs_of_another_their_files(tmp_path):
    pytest.importorskip("submitit")
    first, second = (Slurm(tmp_path / "slurm", 1, Limits(), {"cluster": "local"}) for _ in range(2))
    submitted = Path(second._executor.folder) / "12_submitted.pkl"
    submitted.parent.mkdir(exist_ok=True, parents=True)
    submitted.touch()
    first.close()
    assert submitted.exists()
    second.close()
    assert not (tmp_path / "slurm").exists()
