from __future__ import annotations

from dataclasses import replace

import harness
from harness.data.folders import data_folders
from harness.runs.estimate import estimate
from harness.runs.plan import make_plan
from harness.runs.probe import Expected, sampled
from harness.runs.store import Store

SPEC = {
    "name": "toy",
    "task": "retrieval",
    "datasets": "toy-images",
    "methods": {"backbone": "colour", "pooling": ["mac", "spoc"]},
}


def test_what_is_known_and_what_is_not(tmp_path, toy, monkeypatch):
    plan = make_plan(SPEC, data_folders(None, tmp_path / "cache"), plugins=(toy,))
    store = Store(tmp_path / "runs")
    nothing = estimate(plan, store, plan.runs)
    assert (nothing.disk_unknown, nothing.memory_unknown, nothing.disk_bytes) == (2, 2, 0)
    assert "not known for 2 runs" in nothing.lines()[0]
    assert nothing.free_disk_bytes > 0
    (record, _) = harness.run(SPEC, plugins=(toy,), runs=store.folder, cache=tmp_path / "cache")
    monkeypatch.setattr("harness.runs.estimate._images", lambda run: 120)  # the catalogue knows ten times as many
    found = estimate(plan, store, [replace(run, id=f"{run.id}-new") for run in plan.runs[:1]])
    assert found.disk_bytes == 120 * record.figures["bytes_per_image"]
    peak = max(cost.peak_bytes for cost in record.cost.values())
    assert found.memory_bytes == int(peak + 108 * 3 * record.figures["bytes_per_image"])  # not ten times the network
    assert found.disk_unknown == found.memory_unknown == 0


def test_descriptors_that_several_runs_need_count_once(tmp_path, toy):
    plan = make_plan(SPEC, data_folders(None, tmp_path / "cache"), plugins=(toy,))
    probed = {
        run.id: Expected(seconds=100 + extra, shared_seconds=90, shared="gem", memory_bytes=5, disk_bytes=7)
        for extra, run in enumerate(plan.runs)
    }
    found = estimate(plan, Store(tmp_path / "runs"), plan.runs, probed)
    assert (found.seconds, found.longest, found.timed) == (90 + 10 + 11, 101, 2)
    assert (found.memory_bytes, found.disk_bytes, found.memory_unknown) == (5, 14, 0)
    assert "about 111 s (44 s to 5 min)" in found.lines()[2]


def test_a_sample_keeps_what_is_relevant_in_it(tmp_path, toy):
    plan = make_plan(SPEC, data_folders(None, tmp_path / "cache"), plugins=(toy,))
    dataset = plan.runs[0].dataset.loader.method.load(plan.folders)
    sample = sampled(dataset, 6, 2, (8, 3))
    assert sample.images == [dataset.images[i] for i in (0, 1, 8, 9, 10, 11)]
    assert sample.queries == [dataset.queries[i] for i in (0, 3)]
    relevant = [set(truth["easy"]) | set(truth["hard"]) for truth in sample.ground_truth]
    assert relevant == [{0, 2}, {5}]
