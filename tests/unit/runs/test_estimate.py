from __future__ import annotations

from dataclasses import replace

import harness
from harness.data.folders import data_folders
from harness.runs.estimate import estimate
from harness.runs.plan import make_plan
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
    assert found.memory_bytes == 10 * max(cost.peak_bytes for cost in record.cost.values())
    assert found.disk_unknown == found.memory_unknown == 0
