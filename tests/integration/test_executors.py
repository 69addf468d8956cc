"""Runs in processes of their own: what a plugin does costs its own run; the records are those of one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import harness
from harness.core.errors import BadParameter, SpecError
from harness.core.threads import share
from harness.data.folders import data_folders
from harness.runs.executors.choose import Options
from harness.runs.executors.gpus import GpuSlots
from harness.runs.recreate import recreate
from harness.runs.store import Store

HOSTILE = str(Path(__file__).parents[1] / "fixtures" / "hostile.py")
TIMEOUT = 8.0
"""Of the run that never ends; those that do have the time that a busy machine needs."""
ENDINGS = {
    "exception": ("ZeroDivisionError", ""),
    "loop": ("Timeout", "SIGKILL"),
    "sys.exit": ("SystemExit", ""),
    "os._exit": ("Exited", ""),
    "segfault": ("Killed", "SIGSEGV"),
    "memory": ("MemoryLimit", "SIGKILL"),
    "nan": ("P300", ""),
    "output": ("OutputLimit", "SIGKILL"),
    "pickle": ("BadMessage", "SIGKILL"),
    "other run": ("BadMessage", "SIGKILL"),
    "surrogate": ("RuntimeError", ""),
    "nameless": ("RuntimeError", ""),
    "forker": ("Lost", ""),
}


def spec(toy: str, poolings: list, **more) -> dict:
    methods = {"backbone": "colour", "pooling": poolings}
    return {
        "name": "toy",
        "task": "retrieval",
        "datasets": "toy-images",
        "methods": methods,
        "plugins": [toy, HOSTILE],
        **more,
    }


def without_times(records) -> list[dict]:
    timed = {"started", "finished", "cost", "figures", "environment"}
    found = [record.model_dump(exclude=timed) for record in records]
    for record in found:
        for cycle in record["details"].get("cycles", ()):
            for stage in ("train", "extract", "acquire"):
                del cycle[stage]
    return found


def test_hostile_plugins_cost_their_own_runs_only(tmp_path, toy):
    def ended(hows, seconds):
        poolings = ["mac", *({"hostile": {"how": how}} for how in hows), "spoc"]
        options = Options(executor="processes", workers=2, seconds=seconds, memory_bytes=850 * 2**20)
        return harness.run(spec(toy, poolings), runs=tmp_path / "runs", cache=tmp_path / "cache", options=options)

    *others, last = ended([how for how in ENDINGS if how != "loop"], 300.0)
    records = [*others, ended(["loop"], TIMEOUT)[1], last]
    found = {record.methods["pooling"].parameters.get("how", "fine"): record for record in records}
    assert [records[0].status, records[-1].status] == ["done", "done"]
    for how, (code, name) in ENDINGS.items():
        failure = found[how].failure
        assert failure is not None, how
        assert (failure.code, failure.signal) == (code, name), (how, failure)
        assert failure.message
        assert len(failure.output) <= 10_000
    assert "ZeroDivisionError" in found["exception"].failure.traceback
    assert "string_at" in found["segfault"].failure.output  # faulthandler says where
    assert "in _loop" in found["loop"].failure.output
    assert "exit code 4" in found["os._exit"].failure.message
    assert found["surrogate"].failure.message == "half \\udc80 a pair"
    assert "\x1b" not in found["surrogate"].failure.traceback
    assert seconds(found["loop"]) >= TIMEOUT
    board = harness.leaderboard(records)
    assert board.count("failed") >= len(ENDINGS)
    assert [path for path in (tmp_path / "runs").iterdir() if path.suffix != ".json"] == []


def seconds(record) -> float:
    from datetime import datetime

    started, finished = (datetime.fromisoformat(text) for text in (record.started, record.finished))
    return (finished - started).total_seconds()


@pytest.mark.slow
def test_the_summary_names_failures_and_retry_failed_does_them_again(tmp_path, toy):
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(spec(toy, ["mac", {"hostile": {"how": ["segfault", "os._exit"]}}])))
    command = [sys.executable, "-m", "harness", "run", str(path), "--cache", str(tmp_path / "cache"), "--workers", "2"]
    first = subprocess.run(command, capture_output=True, text=True)
    assert first.returncode == 1
    assert "3 runs executed, 0 skipped (already done), 2 failed" in first.stdout
    assert "failures: 1 Exited, 1 Killed" in first.stderr
    assert "Traceback" not in first.stderr
    again = subprocess.run([*command, "--retry-failed"], capture_output=True, text=True)
    assert "2 runs executed, 1 skipped (already done), 2 failed" in again.stdout


ACTIVE = {
    "name": "toy",
    "task": "active-learning",
    "datasets": "toy-classes",
    "methods": {"learning": {"supervised": {"epochs": 2}}, "acquisition": ["random+margin", "first"]},
    "protocol": {"initial": 6, "budget": 3, "cycles": 2},
    "seeds": [0],
}


def test_the_same_records_whatever_the_executor_and_the_number_of_workers(tmp_path, toy):
    """Threads are held equal: sums of floats depend on how they are split."""
    for name, given in {
        "active": {**ACTIVE, "plugins": [toy]},
        "retrieval": spec(toy, ["mac", {"gem": {"p": [2, 3]}}, {"hostile": {"how": "exception"}}]),
    }.items():
        found = []
        for executor, workers in (("inline", 1), ("processes", 3)):
            folder = tmp_path / f"{name}-{executor}-{workers}"
            options = Options(executor=executor, workers=workers, threads=1)
            records = harness.run(given, runs=folder / "runs", cache=folder / "cache", options=options)
            found.append(without_traceback(records))
            assert all(cost.contended == (workers > 1) for record in records for cost in record.cost.values())
        assert found[0] == found[1]
        assert {record["status"] for record in found[0]} >= {"done"}


NAMED = """
from dataclasses import dataclass
from harness.plugin_api import hookimpl

@dataclass(frozen=True)
class Named:
    'Mean of each map; its parameters have the names of arguments of the registry.'
    kind: str = "a"
    name: str = "b"
    def pool(self, maps):
        return maps.mean((-2, -1))

@hookimpl
def harness_register(registry):
    registry.pooling("named", Named)
"""


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_parameters_called_kind_and_name_survive_the_way_to_a_run_and_back(tmp_path, toy, executor):
    """All boards with the whitening ``learned`` failed in isolated runs: its parameter ``kind`` met an argument."""
    file = tmp_path / "named.py"
    file.write_text(NAMED)
    given = {**spec(toy, [{"named": {"kind": ["c", "d"], "name": "e"}}]), "plugins": [toy, str(file)]}
    folders = {"runs": tmp_path / "runs", "cache": tmp_path / "cache"}
    records = harness.run(given, **folders, options=Options(executor=executor, threads=1))
    assert [record.failure for record in records] == [None, None]
    assert {record.methods["pooling"].parameters["kind"] for record in records} == {"c", "d"}
    again = recreate(records[0], data_folders(None, tmp_path / "cache"), [toy, file])
    assert again.methods["pooling"].method.name == "e"


def without_traceback(records) -> list[dict]:
    found = without_times(records)
    for record in found:
        if record["failure"]:
            record["failure"] = (record["failure"]["code"], record["failure"]["message"])
    return found


RUNNER = [sys.executable, "-m", "harness", "run"]


@pytest.mark.slow
def test_two_runs_at_once_on_one_folder_do_each_run_once(tmp_path, toy):
    path, log = tmp_path / "spec.yaml", tmp_path / "log"
    poolings = [{"hostile": {"how": "fine", "seconds": 0.01, "number": list(range(4))}}]
    path.write_text(json.dumps(spec(toy, poolings)))
    command = [*RUNNER, str(path), "--cache", str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [child.communicate()[0] for child in both]
    assert [child.returncode for child in both] == [0, 0], outputs
    executed = [int(output.partition(" executed")[0].rpartition(" ")[0].split()[-1]) for output in outputs]
    assert sum(executed) == 4, outputs
    records = Store(tmp_path / "runs").read_all()
    assert len({record.id for record in records}) == len(records) == 4
    assert [p for p in (tmp_path / "runs").iterdir() if p.suffix != ".json"] == []
    assert not log.exists()


def family(child: subprocess.Popen) -> list[psutil.Process]:
    try:
        return psutil.Process(child.pid).children(recursive=True)
    except psutil.Error:
        return []


def wait_for(condition, seconds=300.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.05)


def gone(processes) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes if p.is_running())


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGKILL, -9, marks=pytest.mark.slow)]
)
def test_an_interrupt_or_a_killed_runner_leaves_no_process_and_can_go_on(tmp_path, toy, how, code):
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(spec(toy, ["mac", {"hostile": {"how": "loop", "number": [1, 2]}}])))
    command = [*RUNNER, str(path), "--cache", str(tmp_path / "cache"), "--workers", "2"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: len(list((tmp_path / "runs").glob("*.json"))) == 1 and len(family(child)) >= 4)
    below = family(child)
    os.kill(child.pid, how)
    _, error = child.communicate()
    assert child.returncode == code
    assert "Traceback" not in error
    wait_for(lambda: gone(below), 60)
    path.write_text(path.read_text().replace('"loop"', '"exception"'))
    again = subprocess.run([*command[:-1], "1", "--executor", "inline"], capture_output=True, text=True)
    assert "2 runs executed, 1 skipped (already done)" in again.stdout
    assert [p for p in (tmp_path / "runs").iterdir() if p.suffix != ".json"] == []


def test_options_are_checked():
    with pytest.raises(BadParameter, match="unknown executor"):
        Options(executor="cloud")
    with pytest.raises(BadParameter, match="workers"):
        Options(executor="processes", workers=0)
    with pytest.raises(SpecError, match="in this process"):
        Options(executor="inline", seconds=3)
    with pytest.raises(SpecError, match="scheduler"):
        Options(executor="dask")


def test_threads_are_divided(monkeypatch):
    monkeypatch.setattr("harness.core.threads.cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [share(workers) for workers in (1, 2, 3, 16)] == [8, 4, 2, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert share(2) == 5


@pytest.mark.slow
def test_runs_on_the_gpu_share_the_cards_and_others_do_without(tmp_path, toy, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    poolings = [{"hostile": {"how": "fine", "seconds": 0.02, "number": [1, 2, 3]}}]
    options = Options(executor="processes", workers=3)
    folders = {"runs": tmp_path / "runs", "cache": tmp_path / "cache"}
    there = harness.run(spec(toy, poolings), device="cuda", options=options, **folders)
    assert {record.failure.code for record in there} == {"V500"}  # no such card; one after the other all the same
    spans = sorted((record.started, record.finished) for record in there)
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))
    taken = GpuSlots().take()
    here = harness.run(spec(toy, poolings), options=options, **folders)
    assert [record.status for record in here] == ["done"] * 3
    taken[0].release()


KILLED_WHILE_LOADING = """
import multiprocessing, os, signal, sys, threading, time
from multiprocessing import forkserver

from harness.core.progress import SilentProgress
from harness.runs.executors.processes import Processes

def kill():
    while forkserver._forkserver._forkserver_pid is None:
        time.sleep(0.01)
    time.sleep(float(sys.argv[1]))
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)

if __name__ == "__main__":
    threading.Thread(target=kill).start()
    executor = Processes(1, SilentProgress(), preload=["harness.runs.tasks"])
    workers = [executor._forked({}) for _ in range(2)]
    for worker in workers:
        assert worker.process.pid
        worker.close()
    print("started", len(workers))
"""


@pytest.mark.parametrize("seconds", [0.05, *(pytest.param(s, marks=pytest.mark.slow) for s in (0.0, 0.3))])
def test_the_process_that_forks_is_killed_while_it_loads(tmp_path, seconds):
    script = tmp_path / "script.py"
    script.write_text(KILLED_WHILE_LOADING)
    done = subprocess.run([sys.executable, str(script), str(seconds)], capture_output=True, text=True, timeout=200)
    assert done.stdout == "started 2\n", done
    assert "Traceback" not in done.stderr
