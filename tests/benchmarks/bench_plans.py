"""What plans estimate against what runs take, on three sizes of a stand-in: memory within 1.5 times, time within 2.

python tests/benchmarks/bench_plans.py [--images 60 120 240]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from harness.data.folders import data_folders
from harness.data.stand_in.write import write_stand_in
from harness.runs.executors.choose import Options
from harness.runs.plan import make_plan
from harness.runs.probe import probe
from harness.runs.runner import run_plan
from harness.runs.store import Store

SPEC = """
name: plans
task: retrieval
datasets: [roxford5k]
methods: {backbone: {vgg16: {weights: none}}, pooling: gem, reranking: [none, {dsm: {top: 10}}]}
protocol: {image_size: 128, scales: [1.0, 0.5]}
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, nargs="*", default=[60, 120, 240])
    print(
        f"{'images':>6}  {'run':30}  {'MB est':>7}  {'MB':>7}  {'x':>5}  {'s est':>7}  {'s':>7}  {'x':>5}", flush=True
    )
    for images in parser.parse_args().images:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), images)


def measure(folder: Path, images: int) -> None:
    """Rows of one size. Each run is measured without what the others stored."""
    write_stand_in("roxford5k", folder / "data", images=images)
    (folder / "spec.yaml").write_text(SPEC)
    plan = make_plan(folder / "spec.yaml", data_folders(folder / "data", folder / "cache"))
    expected = probe(plan, plan.runs, str(folder / "spec.yaml"))
    records = run_plan(plan, Store(folder / "runs"), options=Options(executor="processes", workers=1))
    for run, record in zip(plan.runs, records, strict=True):
        memory = max(cost.peak_bytes for cost in record.cost.values()) / 2**20
        seconds = sum(cost.wall_s for cost in record.cost.values())
        seconds += (record.figures.get("query_s_p50") or 0.0) * 21
        estimate = expected[run.id]
        megabytes = estimate.memory_bytes / 2**20
        print(
            f"{images:6}  {run.label[-30:]:30}  {megabytes:7.0f}  {memory:7.0f}  {megabytes / memory:5.2f}"
            f"  {estimate.seconds:7.1f}  {seconds:7.1f}  {estimate.seconds / seconds:5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
