"""What the runs of a plan will take, measured on a few images of their own data: ``harness run --dry-run --probe``.

Runs in a process of its own, as ``python -m harness.runs.probe`` with a question on standard input: planning stays free
of torch, and peaks of memory are those of runs. Each run is done on two small samples: the first pays what is paid once
(networks are loaded, kernels compiled), the second gives the rate of each stage.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.core.cost import Cost
from harness.core.progress import SilentProgress
from harness.data.folders import data_folders
from harness.plugin_api import RetrievalSet
from harness.runs.executors.choose import preloaded
from harness.runs.identity import Run
from harness.runs.learning_sets import learning_set
from harness.runs.plan import Plan, make_plan
from harness.runs.shared_maps import kept_maps, pass_of
from harness.runs.tasks import joint_poolings

SAMPLES: Final = ((4, 2), (12, 4))
"""Images and queries of the two samples, which share none where there are enough."""
COPIES: Final = 3
"""Of the descriptors of a database that a run holds at once: as stored, combined, whitened."""
TIMED_QUERIES: Final = 21
UNCERTAINTY: Final = 2.5
"""Factor by which estimated times were off at most, up or down, in tests/benchmarks/bench_plans.py."""


@dataclass(frozen=True)
class Expected:
    """What one run is expected to take alone: ``shared`` names the descriptors that other runs need too."""

    seconds: float
    shared_seconds: float
    shared: str
    memory_bytes: int
    disk_bytes: int
    device: str = "cpu"


def probe(
    plan: Plan, runs: Iterable[Run], source: str, catalogues: Sequence[Path] = (), add: Sequence[str] = ()
) -> dict[str, Expected]:
    """What each of these runs is expected to take, by id; runs that cannot be probed are left out.

    Args:
        plan: its folders and plugins.
        runs: retrieval runs with their data.
        source: the spec's file.
        catalogues: as the plan was made with.
        add: likewise.
    """
    wanted = [run.id for run in runs if "backbone" in run.methods and not run.incomplete]
    folders = {"data": str(plan.folders.root), "cache": str(plan.folders.cache)}
    files = [str(file) for file in catalogues]
    question = {
        "spec": source,
        **folders,
        "plugins": list(plan.plugins),
        "catalogues": files,
        "add": list(add),
        "device": plan.spec.device,
        "numerics": plan.spec.numerics,
        "runs": wanted,
    }
    answer = subprocess.run(
        [sys.executable, "-m", "harness.runs.probe"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = answer.stdout.strip().splitlines()
    answers: Mapping[str, Any] = json.loads(lines[-1]) if answer.returncode == 0 and lines else {}
    return {run: Expected(**values) for run, values in answers.items()}


def expected(run: Run, plan: Plan, cache: Path) -> Expected:
    """Do a run on both samples. Whatever a method or the data raise comes through."""
    from harness.cache import Cache
    from harness.retrieval.map_store import MapStore
    from harness.retrieval.pipeline import RetrievalMethods, RetrievalTask

    dataset = run.dataset.loader.method.load(plan.folders)
    methods = RetrievalMethods(**{kind: configured.method for kind, configured in run.methods.items()})
    full = _drivers(len(dataset.images), len(dataset.queries), getattr(methods.reranking, "top", 0))
    measured: list[Mapping[str, Cost]] = []
    drivers, start, figures = [], (0, 0), (0.0, 0)
    maps = MapStore(kept) if (kept := kept_maps(run, cache)) else None
    for images, queries in SAMPLES:
        sample = sampled(dataset, images, queries, start)
        start = (start[0] + images, start[1] + queries)
        keys: dict[str, Any] = {kind: method.key for kind, method in run.methods.items()}
        keys["dataset"] = {"fingerprint": f"{run.dataset.fingerprint} {images}"}
        learning = learning_set(run, plan.folders)
        if learning is not None:
            learning = replace(learning, dataset=sampled(learning.dataset, images, queries, start))
        task = RetrievalTask(
            sample,
            methods,
            run.protocol,
            keys,
            Cache(cache),
            SilentProgress(),
            maps,
            learning=learning,
            joint_poolings=joint_poolings(run),
        )
        result = task.run()
        measured.append({**result.costs, "queries": Cost(wall_s=float(result.query_seconds.mean()))})
        drivers.append(_drivers(len(sample.images), len(sample.queries), getattr(methods.reranking, "top", 0)))
        figures = result.bytes_per_image, result.dimension
    seconds = {stage: _extrapolated(stage, measured, drivers, full) for stage in measured[1]}
    describing = ("describe database", "describe queries", "describe distractors")
    shared = sum(seconds.get(stage, 0.0) for stage in describing)
    peak = max(cost.peak_bytes for costs in measured for cost in costs.values())
    stored = figures[0] + 4 * figures[1] * (len(run.protocol.scales) - 1)
    described_by = [
        run.dataset.fingerprint,
        *(m.key for kind, m in run.methods.items() if kind in ("backbone", "pooling")),
    ]
    return Expected(
        seconds=sum(seconds.values()),
        shared_seconds=shared,
        shared=pass_of(run) if run.joint_poolings else json.dumps(described_by),
        memory_bytes=int(peak + COPIES * stored * max(0, len(dataset.images) - SAMPLES[1][0])),
        disk_bytes=int(stored * len(dataset.images)),
        device=run.protocol.device,
    )


def sampled(dataset: RetrievalSet, images: int, queries: int, start: tuple[int, int] = (0, 0)) -> RetrievalSet:
    """Some images and queries of a dataset from a position on, around its end, with what is relevant among them."""
    total = len(dataset.images) - dataset.distractors
    chosen = sorted({(start[0] + step) % total for step in range(min(images, total))})
    asked = sorted({(start[1] + step) % len(dataset.queries) for step in range(min(queries, len(dataset.queries)))})
    new = {old: position for position, old in enumerate(chosen)}

    def kept(truth: Mapping[str, Any]) -> dict[str, list[int]]:
        return {label: [new[int(i)] for i in ids if int(i) in new] for label, ids in truth.items()}

    pairs = dataset.pairs
    if pairs is not None:
        inside = [[new[int(a)], new[int(b)]] for a, b in pairs if int(a) in new and int(b) in new]
        pairs = np.array(inside, np.int64).reshape(-1, 2)
    return replace(
        dataset,
        images=[dataset.images[i] for i in chosen],
        queries=[dataset.queries[i] for i in asked],
        boxes=[dataset.boxes[i] for i in asked],
        ground_truth=[kept(dataset.ground_truth[i]) for i in asked],
        distractors=0,
        pairs=pairs,
    )


def _drivers(images: int, queries: int, top: int) -> dict[str, float]:
    """How often each stage does what it does."""
    compared = min(top, images)
    return {
        "describe database": images,
        "describe queries": queries,
        "whiten": images + queries,
        "describe for re-ranking": min(images, compared * queries) + queries,
        "rerank": compared * queries,
        "fit expansion": images,
        "describe regions of database": images,
        "describe regions of queries": queries,
        "queries": min(TIMED_QUERIES, queries + 1) * max(compared, 1),
        "per query": queries,
    }


def _extrapolated(
    stage: str,
    measured: Sequence[Mapping[str, Cost]],
    drivers: Sequence[Mapping[str, float]],
    full: Mapping[str, float],
) -> float:
    """Seconds of a stage on all data: what is paid once, and the rate of the second sample."""
    driver = stage if stage in full else "per query"
    first, second = (costs[stage].wall_s for costs in measured)
    if stage == "queries":  # seconds of one query
        return second * full[driver] / max(1.0, drivers[1][driver] / min(TIMED_QUERIES, SAMPLES[1][1] + 1))
    rate = second / max(1.0, drivers[1][driver])
    return max(0.0, first - rate * drivers[0][driver]) + rate * full[driver]


def _answer(question: Mapping[str, Any]) -> dict[str, Any]:
    folders = data_folders(question["data"], question["cache"])
    catalogues = tuple(map(Path, question["catalogues"]))
    plan = make_plan(
        question["spec"],
        folders,
        plugins=tuple(question["plugins"]),
        add=tuple(question["add"]),
        catalogues=catalogues,
        incomplete=True,
        device=question["device"],
        numerics=question["numerics"],
    )
    answers = {}
    for module in preloaded(run for run in plan.runs if run.id in question["runs"]):
        importlib.import_module(module)  # as in the processes that do runs: libraries count for no stage
    with tempfile.TemporaryDirectory(prefix="harness-probe-") as cache:
        for run in plan.runs:
            if run.id in question["runs"]:
                try:
                    answers[run.id] = asdict(expected(run, plan, Path(cache)))
                except Exception as error:  # a sample may be too small for a method: its runs are not known then
                    print(f"{run.label}: {error}", file=sys.stderr)
    return answers


if __name__ == "__main__":
    print(json.dumps(_answer(json.load(sys.stdin))))
