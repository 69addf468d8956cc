"""Processes are killed at random moments; the plan still ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import psutil
import pytest

import harness
from harness.data.folders import data_folders
from harness.runs.plan import make_plan
from harness.runs.planned import pending, planned_records
from harness.runs.store import Store

HOSTILE = str(Path(__file__).parents[1] / "fixtures" / "hostile.py")


def write_spec(path: Path, toy: str, runs: int) -> None:
    pooling = {"hostile": {"how": "fine", "seconds": 0.005, "number": list(range(runs))}}
    given = {
        "name": "torture",
        "task": "retrieval",
        "datasets": "toy-images",
        "methods": {"backbone": "colour", "pooling": pooling},
        "plugins": [toy, HOSTILE],
    }
    path.write_text(json.dumps(given))


def command(spec: Path, cache: Path) -> list[str]:
    words = [sys.executable, "-m", "harness", "run", str(spec), "--cache", str(cache), "--workers", "2"]
    return [*words, "--retry-failed"]


def role(process: psutil.Process, runner: int) -> str:
    """What a process of the run is: workers are forks of the fork server and children of it."""
    words = " ".join(process.cmdline())
    if process.pid == runner:
        return "runner"
    if "resource_tracker" in words:
        return "resource tracker"
    return "fork server" if process.ppid() == runner else "worker"


def family(runner: int) -> list[psutil.Process]:
    """The runner, while it is there, and all that it started."""
    try:
        process = psutil.Process(runner)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def kill_one(child: subprocess.Popen, rng: random.Random, seen: dict[int, psutil.Process]) -> str:
    """Kill a process of the run at random, each role as often as the others; empty where there is none any more."""
    try:
        processes = family(child.pid)
        seen |= {process.pid: process for process in processes}
        roles: dict[str, list[psutil.Process]] = {}
        for process in processes:
            roles.setdefault(role(process, child.pid), []).append(process)
        name = rng.choice(sorted(roles))
        os.kill(rng.choice(roles[name]).pid, signal.SIGKILL)
    except (psutil.Error, ProcessLookupError):
        return ""
    return name


def torture(folder: Path, toy: str, runs: int, kills: int, seed: int) -> Counter[str]:
    """Kill and start again; then let it end. Returns how often what was killed."""
    spec, cache, rng = folder / "spec.yaml", folder / "cache", random.Random(seed)
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))  # short, as sockets need it
    environment = {**os.environ, "TMPDIR": str(temporary)}
    write_spec(spec, toy, runs)
    counts: Counter[str] = Counter()
    seen: dict[int, psutil.Process] = {}
    plan, store = make_plan(spec, data_folders(None, cache)), Store(folder / "runs")
    while counts.total() < kills:
        files = sorted(store.folder.glob("*.json"))
        for path in rng.sample(files, len(files) // 2) if len(files) == runs else ():
            path.unlink()  # all done: the rest of the kills hits a plan that has still to do something
        with (folder / "errors").open("w+") as errors:
            child = subprocess.Popen(command(spec, cache), stdout=subprocess.DEVNULL, stderr=errors, env=environment)
            killed = ""
            at_work = rng.random() < 0.9  # else while it starts
            while child.poll() is None and killed != "runner":
                while at_work and child.poll() is None and len(family(child.pid)) < 4:
                    time.sleep(0.05)
                time.sleep(rng.uniform(0, 1))
                killed = kill_one(child, rng, seen) if counts.total() < kills and child.poll() is None else ""
                counts[killed] += bool(killed)
            code = child.wait()
            errors.seek(0)
            printed = errors.read()
        # 1: a run was killed twice; its record says so.
        assert code == -signal.SIGKILL if killed == "runner" else code in (0, 1), (code, printed)
        assert "Traceback" not in printed, printed
    last = subprocess.run(command(spec, cache), capture_output=True, text=True, env=environment)
    assert last.returncode == 0, last.stderr
    assert pending(plan, store, retry_failed=True) == []
    gone, alive = psutil.wait_procs(seen.values(), timeout=10)
    assert alive == []
    left = [path for path in temporary.rglob("*") if not path.name.startswith("harness-")]
    shutil.rmtree(temporary)
    assert left == [], "sockets, locks and temporary files"
    return counts


def check(folder: Path, toy: str, runs: int) -> None:
    """Nothing lost, nothing double, nothing left behind, the same leaderboard as without a disturbance."""
    files = list((folder / "runs").iterdir())
    assert sorted(path.suffix for path in files) == [".json"] * runs, files
    left = [path for path in (folder / "cache").rglob("*") if path.suffix in (".lock", ".tmp")]
    swept = subprocess.run(
        [sys.executable, "-m", "harness", "cache", "verify", "--cache", str(folder / "cache")], capture_output=True
    )
    assert swept.returncode == 0
    left = [path for path in (folder / "cache").rglob("*") if path.suffix in (".lock", ".tmp")]
    assert left == []
    spec = folder / "spec.yaml"
    plain = harness.run(spec, runs=folder / "undisturbed", cache=folder / "cache-undisturbed")
    plan = make_plan(spec, data_folders(None, folder / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        disturbed = planned_records(plan, Store(folder / "runs"))
    assert harness.leaderboard(disturbed, cost=False) == harness.leaderboard(plain, cost=False)
    timed = {"started", "finished", "cost", "figures", "environment"}
    assert [r.model_dump(exclude=timed) for r in disturbed] == [r.model_dump(exclude=timed) for r in plain]


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(tmp_path, toy):
    counts = torture(tmp_path, toy, runs=6, kills=3, seed=0)
    assert counts.total() == 3
    check(tmp_path, toy, runs=6)


@pytest.mark.slow
def test_sixty_kills_of_all_processes_change_nothing(tmp_path, toy):
    counts = torture(tmp_path, toy, runs=40, kills=60, seed=1)
    assert counts.keys() - {""} == {"runner", "worker", "fork server", "resource tracker"}, counts
    check(tmp_path, toy, runs=40)
