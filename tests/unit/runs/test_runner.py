from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import harness
from harness.core.errors import DataDamaged
from harness.data.folders import data_folders
from harness.runs.decidable import decidable_lines
from harness.runs.plan import make_plan
from harness.runs.record import Record
from harness.runs.store import Store, read_record
from harness.studies.verify_costs import impossible_cost

SPEC = {
    "name": "toy",
    "task": "retrieval",
    "datasets": "toy-images",
    "methods": {"backbone": "colour", "pooling": ["mac", "gem"]},
}


def without_times(records: list[Record]) -> list[dict]:
    timed = {"started", "finished", "cost", "figures", "environment"}
    return [record.model_dump(exclude=timed) for record in records]


def test_records_hold_what_the_run_was_and_gave(tmp_path, toy):
    first, second = harness.run(SPEC, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    assert first.status == "done"
    assert first.methods["pooling"].name == "mac"
    assert first.methods["pooling"].plugin == "vision-evaluation-harness"
    assert first.methods["backbone"].origin == "file toy.py"
    assert first.dataset.counts == {"images": 12, "queries": 4}
    assert 0.9 < first.metrics["map_medium"] <= 1
    assert len(first.details["ap_medium"]) == 4
    assert first.figures["bytes_per_image"] > 0
    assert second.environment["packages"]["numpy"]
    assert Store(tmp_path / "runs").read_all() == sorted([first, second], key=lambda record: record.id)


def test_a_plan_of_few_queries_says_that_they_decide_nothing(tmp_path, toy):
    arguments = {"plugins": (toy,), "runs": tmp_path / "runs", "cache": tmp_path / "cache"}
    plan = make_plan(SPEC, data_folders(None, tmp_path / "cache"), plugins=(toy,))
    before = list(decidable_lines(plan, Store(tmp_path / "runs")))
    assert before[0].endswith("it takes at least 6 groups")
    harness.run(SPEC, **arguments)
    (after,) = decidable_lines(plan, Store(tmp_path / "runs"))
    assert after.startswith("verdict: none is possible, 4 queries are ")


def test_a_second_run_does_nothing(tmp_path, toy, monkeypatch):
    first = harness.run(SPEC, plugins=(toy,), runs=tmp_path, cache=tmp_path / "cache")
    monkeypatch.setattr("harness.runs.single.execute", lambda *a: pytest.fail("executed again"))
    assert harness.run(SPEC, plugins=(toy,), runs=tmp_path, cache=tmp_path / "cache") == first


@pytest.mark.parametrize(("mode", "code"), [("raise", "RuntimeError"), ("nan", "P300")])
def test_a_failing_method_costs_its_own_run_only(tmp_path, toy, mode, code):
    spec = {**SPEC, "methods": {"backbone": "colour", "pooling": [{"broken": {"mode": mode}}, "mac"]}}
    broken, good = harness.run(spec, plugins=(toy,), runs=tmp_path, cache=tmp_path / "cache")
    assert (broken.status, good.status) == ("failed", "done")
    assert broken.failure is not None
    assert broken.failure.code == code
    assert broken.failure.traceback
    assert "broken" in harness.leaderboard([broken, good])


def test_failed_runs_are_done_again_on_request_only(tmp_path, toy, monkeypatch):
    spec = {**SPEC, "methods": {"backbone": "colour", "pooling": "broken"}}
    arguments = {"plugins": (toy,), "runs": tmp_path, "cache": tmp_path / "cache"}
    (first,) = harness.run(spec, **arguments)
    assert harness.run(spec, **arguments) == [first]
    (again,) = harness.run(spec, **arguments, retry_failed=True)
    assert again.started > first.started


def test_the_same_spec_gives_the_same_records_apart_from_times(tmp_path, toy):
    a = harness.run(SPEC, plugins=(toy,), runs=tmp_path / "a", cache=tmp_path / "a")
    b = harness.run(SPEC, plugins=(toy,), runs=tmp_path / "b", cache=tmp_path / "b")
    assert without_times(a) == without_times(b)


def test_active_learning_end_to_end_and_cycle_0_is_shared(tmp_path, toy):
    spec = {
        "name": "toy",
        "task": "active-learning",
        "datasets": "toy-classes",
        "methods": {"learning": {"supervised": {"epochs": 3}}, "acquisition": ["first", "random"]},
        "protocol": {"initial": 6, "budget": 3, "cycles": 3},
        "seeds": [0, 1],
    }
    records = harness.run(spec, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    assert [record.status for record in records] == ["done"] * 4, [record.failure for record in records]
    assert records[0].metrics["accuracy@6"] == records[2].metrics["accuracy@6"]
    assert set(records[0].metrics) == {"accuracy", "area_under_curve", "accuracy@6", "accuracy@9", "accuracy@12"}
    table = harness.leaderboard(records)
    assert "±" in table
    assert "first" in table


def test_one_cycle_has_no_cost_of_acquisition(tmp_path, toy):
    """A stage that was not done, told as one of no time, is what ``harness records verify`` calls impossible."""
    spec = {
        "name": "toy",
        "task": "active-learning",
        "datasets": "toy-classes",
        "methods": {"learning": {"supervised": {"epochs": 3}}, "acquisition": "random"},
        "protocol": {"initial": 6, "cycles": 1},
        "seeds": [0],
    }
    (record,) = harness.run(spec, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    assert set(record.cost) == {"train"}
    assert impossible_cost(record) == ""


KILLED = """
import sys, time, harness
from harness.runs import single
real, begun = single.execute, []
def slow(run, *rest):
    print("start", flush=True)
    begun.append(run)
    record = real(run, *rest)
    if len(begun) == 3:
        time.sleep(600)  # killed in this run, however late
    return record
single.execute = slow
harness.run({spec!r}, plugins=({toy!r},), runs={runs!r}, cache={cache!r})
"""


def test_kill_9_in_the_middle_and_go_on(tmp_path, toy):
    spec = {**SPEC, "methods": {"backbone": "colour", "pooling": ["mac", "spoc", {"gem": {"p": [1, 2, 3, 4, 5, 6]}}]}}
    whole = harness.run(spec, plugins=(toy,), runs=tmp_path / "whole", cache=tmp_path / "a")
    code = KILLED.format(spec=spec, toy=toy, runs=str(tmp_path / "cut"), cache=str(tmp_path / "b"))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(3):
        child.stdout.readline()
    time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    done = len(Store(tmp_path / "cut").read_all())
    assert done == 2
    resumed = harness.run(spec, plugins=(toy,), runs=tmp_path / "cut", cache=tmp_path / "b")
    assert harness.leaderboard(resumed, cost=False) == harness.leaderboard(whole, cost=False)
    assert not [path for path in (tmp_path / "cut").iterdir() if path.suffix != ".json"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a valid record"),
        ("{", "not a valid record"),
        ("[]", "format"),
        ('{"schema": 4}', "format 4"),
        ('{"schema": 1}', "format 1"),
        ('{"schema": 2}', "no checksum"),
        ('{"schema": 3}', "no checksum"),
    ],
)
def test_damaged_records_are_named(tmp_path, text, words):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DataDamaged, match="x.json") as caught:
        read_record(path)
    assert words in str(caught.value)


def test_records_are_json_without_nan(tmp_path, toy):
    harness.run(SPEC, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    for path in (tmp_path / "runs").iterdir():
        json.loads(path.read_text(), parse_constant=lambda text: pytest.fail(text))
