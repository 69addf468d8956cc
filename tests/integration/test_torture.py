"""Processes are killed at random moments; the plan still ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import psutil
import pytest

import harness
from harness.data.folders import data_folders
from harness.runs.plan import make_plan
from harness.runs.runner import pending, planned_records
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


def kill_one(child: subprocess.Popen, rng: random.Random) -> str:
    """A process of the run at random: the runner, the one that forks, or a worker."""
    runner = psutil.Process(child.pid)
    victims = [runner, *runner.children(recursive=True)]
    victim = rng.choice(victims)
    try:
        os.kill(victim.pid, signal.SIGKILL)
    except ProcessLookupError:
        return "gone"
    return "runner" if victim.pid == child.pid else "other"


def torture(folder: Path, toy: str, runs: int, kills: int, seed: int) -> dict[str, int]:
    """Kill and start again; then let it end. Returns how often what was killed."""
    spec, cache, rng = folder / "spec.yaml", folder / "cache", random.Random(seed)
    write_spec(spec, toy, runs)
    counts: dict[str, int] = {}
    plan = make_plan(spec, data_folders(None, cache))
    for _ in range(kills):
        store = Store(folder / "runs")
        before = len(list(store.folder.glob("*.json")))
        if before == runs:  # all done: the rest of the kills hits a plan that has still to do something
            for path in rng.sample(sorted(store.folder.glob("*.json")), runs // 2):
                path.unlink()
            before -= runs // 2
        child = subprocess.Popen(command(spec, cache), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        goal = before + rng.randrange(3)
        while child.poll() is None and len(list(store.folder.glob("*.json"))) < goal:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        if child.poll() is None:
            what = kill_one(child, rng)
            counts[what] = counts.get(what, 0) + 1
        if child.poll() is None and rng.random() < 0.7:
            child.kill()
        child.wait()
    last = subprocess.run(command(spec, cache), capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    assert pending(plan, Store(folder / "runs"), retry_failed=True) == []
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


def test_kills_at_random_moments_change_nothing(tmp_path, toy):
    torture(tmp_path, toy, runs=8, kills=2, seed=0)
    check(tmp_path, toy, runs=8)


@pytest.mark.slow
def test_thirty_kills_in_a_plan_of_sixty_runs_change_nothing(tmp_path, toy):
    counts = torture(tmp_path, toy, runs=60, kills=30, seed=1)
    assert sum(counts.values()) >= 20, counts
    check(tmp_path, toy, runs=60)
