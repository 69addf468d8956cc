"""Seven poolings and three whitenings of one network take at most 1.25 times as long as one pooling without."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

import pytest

from harness.data.folders import data_folders
from harness.runs.plan import make_plan
from harness.runs.runner import run_plan
from harness.runs.store import Store

pytestmark = pytest.mark.slow

IMAGES: Final = int(os.environ.get("BENCH_IMAGES", "500"))
POOLINGS: Final = ("gem", "mac", "spoc", "crow", "rmac", "rgem", "fs-egm")
WHITENINGS: Final = ("none", "pca", {"pca": {"preset": "thesis"}})


def seconds(folder: Path, poolings: tuple[str, ...], whitenings: tuple[Any, ...]) -> float:
    """Of the runs, with the images drawn already and nothing else cached."""
    size = {"objects": IMAGES // 10, "images": IMAGES - 20, "queries": 20, "size": 512}
    spec = {
        "name": "s",
        "task": "retrieval",
        "datasets": [{"synthetic-instances": size}],
        "methods": {"backbone": "efficientnet-lite0", "pooling": [*poolings], "whitening": [*whitenings]},
        "protocol": {"image_size": 512},
    }
    plan = make_plan(spec, data_folders(folder, folder / "cache"))
    plan.runs[0].dataset.loader.method.load(plan.folders)
    start = time.perf_counter()
    records = run_plan(plan, Store(folder / "runs"))
    took = time.perf_counter() - start
    assert {record.status for record in records} == {"done"}
    return took


def test_one_pass_of_the_network_is_most_of_the_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seconds(tmp_path / "warm", POOLINGS[:1], WHITENINGS[:1])
    one = seconds(tmp_path / "one", POOLINGS[:1], WHITENINGS[:1])
    every = seconds(tmp_path / "all", POOLINGS, WHITENINGS)
    with capsys.disabled():
        print(f"\n{IMAGES} images: seven poolings by three whitenings take {every / one:.2f} times one pooling's time")
    assert every < 1.25 * one
