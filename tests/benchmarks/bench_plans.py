"""What plans estimate against what runs take, on three sizes of a stand-in: memory within 1.5 times, time within 2.

python tests/benchmarks/bench_plans.py [--images 60 120 240]

Each run is planned, probed and done alone, with a data folder that it shares and a cache of its own: no run reads what
another one stored. Times are those of a quiet machine only.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from harness.data.folders import data_folders
from harness.data.stand_in.write import write_stand_in
from harness.runs.executors.choose import Options
from harness.runs.plan import make_plan
from harness.runs.probe import TIMED_QUERIES, probe
from harness.runs.runner import run_plan
from harness.runs.store import Store

METHODS: dict[str, dict[str, Any]] = {
    "gem": {},
    "dsm": {"reranking": {"dsm": {"top": 10}}},
    "diffusion": {"expansion": "diffusion"},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, nargs="*", default=[60, 120, 240])
    columns = f"{'MB est':>7}  {'MB':>7}  {'x':>5}  {'s est':>7}  {'s':>7}  {'x':>5}"
    print(f"{'images':>6}  {'run':10}  {columns}", flush=True)
    for images in parser.parse_args().images:
        with tempfile.TemporaryDirectory() as folder:
            write_stand_in("roxford5k", Path(folder), images=images)
            for name, methods in METHODS.items():
                measure(name, methods, images, Path(folder))


def measure(name: str, methods: dict[str, Any], images: int, data: Path) -> None:
    """The row of one run."""
    spec = {
        "name": "plans",
        "task": "retrieval",
        "datasets": "roxford5k",
        "methods": {"backbone": {"vgg16": {"weights": "none"}}, "pooling": "gem", **methods},
        "protocol": {"image_size": 128, "scales": [1.0, 0.5]},
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "spec.json")
        file.write_text(json.dumps(spec))  # YAML too
        plan = make_plan(file, data_folders(data, Path(folder, "cache")))
        ((_, expected),) = probe(plan, plan.runs, str(file)).items()
        (record,) = run_plan(plan, Store(Path(folder, "runs")), options=Options(executor="processes", workers=1))
    memory = max(cost.peak_bytes for cost in record.cost.values()) / 2**20
    seconds = sum(cost.wall_s for cost in record.cost.values())
    seconds += (record.figures.get("query_s_p50") or 0.0) * min(TIMED_QUERIES, record.dataset.counts["queries"])
    estimated = expected.memory_bytes / 2**20
    print(
        f"{images:6}  {name:10}  {estimated:7.0f}  {memory:7.0f}  {estimated / memory:5.2f}"
        f"  {expected.seconds:7.1f}  {seconds:7.1f}  {expected.seconds / seconds:5.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
