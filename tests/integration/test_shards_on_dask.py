"""200,000 images described and searched in eight shards on two workers of Dask, one of which is killed meanwhile.

``pytest tests/integration/test_shards_on_dask.py -m slow -s`` prints the peak memory of the workers. The images have
8 x 8 pixels and the network is a rearrangement of them: what is shown is the way of the work, not its speed.
"""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

import harness
from harness.runs.executors.calls import calls
from harness.runs.executors.choose import Options
from harness.runs.kept_ranks import read_ranks
from harness.runs.sharding import Sharding
from harness.runs.store import Store
from harness.search import sharded, top_k
from harness.search.sharded import ShardedSearch

pytestmark = pytest.mark.slow

IMAGES, DATABASE, QUERIES, SHARDS = 200_000, 2_000, 20, 8
PLUGIN = """
from dataclasses import dataclass
from pathlib import Path
import torch
from harness.data.retrieval_sets import Paths
from harness.plugin_api import RetrievalSet, hookimpl

@dataclass(frozen=True)
class Many:
    'Images of a folder, the first of which are asked for.'
    task = "retrieval"
    folder: str
    images: int
    database: int
    queries: int

    def fingerprint(self, folders):
        return "00" * 32

    def load(self, folders):
        names = [f"{self.folder}/{i // 1000:04}/{i:07}.ppm" for i in range(self.images)]
        truth = [{"easy": [i], "hard": [i + 100], "junk": [i + 200]} for i in range(self.queries)]
        asked = [Path(name) for name in names[50 : 50 + self.queries]]
        more = self.images - self.database
        return RetrievalSet("many", Paths(names), asked, [None] * len(asked), truth, distractors=more)

@dataclass(frozen=True)
class Blocks:
    'Each cell has the pixels of a block of 4 x 4.'
    stride = 4
    def maps(self, image):
        return torch.nn.functional.pixel_unshuffle(image, 4)

@hookimpl
def harness_register(registry):
    registry.dataset("many", Many)
    registry.backbone("blocks", Blocks)
"""


def draw(folder) -> None:
    rng = np.random.default_rng(0)
    for start in range(0, IMAGES, 1000):
        (folder / f"{start // 1000:04}").mkdir(parents=True)
        pixels = rng.integers(0, 256, (1000, 192), np.uint8)
        for i, image in enumerate(pixels, start):
            (folder / f"{start // 1000:04}" / f"{i:07}.ppm").write_bytes(b"P6 8 8 255\n" + image.tobytes())


def test_ranks_are_those_of_one_process(tmp_path, cluster, without_costs, capsys):
    draw(tmp_path / "images")
    (tmp_path / "many.py").write_text(PLUGIN)
    many = {"folder": str(tmp_path / "images"), "images": IMAGES, "database": DATABASE, "queries": QUERIES}
    spec = {
        "name": "many",
        "task": "retrieval",
        "datasets": [{"many": many}],
        "methods": {"backbone": "blocks", "pooling": "spoc", "whitening": "pca"},
        "plugins": [str(tmp_path / "many.py")],
        "keep_ranks": 1000,
    }
    address, (_, first, _) = cluster
    killed = []

    class Watching:
        def update(self, label, done, total):
            if label == "describe parts" and done >= 3 and not killed:
                killed.append(done)
                os.kill(first.pid, signal.SIGKILL)

    def ranked(name, progress=None, **options):
        folder = tmp_path / name
        given = Options(threads=1, **options)
        (record,) = harness.run(
            spec, runs=folder / "runs", cache=folder / "cache", data=tmp_path, options=given, progress=progress
        )
        return record, read_ranks(record, Store(folder / "runs"))

    record, ranks = ranked("shards", Watching(), executor="dask", scheduler=address, shards=SHARDS)
    assert killed
    assert first.poll() == -signal.SIGKILL
    whole, expected = ranked("whole")
    assert ranks.shape == (QUERIES, 1000)
    assert np.array_equal(ranks, expected)
    assert without_costs(record) == without_costs(whole)
    with capsys.disabled():
        for stage, cost in record.cost.items():
            print(f"\n{stage}: peak {cost.peak_bytes / 1e6:.0f} MB above the start", end="")
        print(f"; of one process: {max(cost.peak_bytes for cost in whole.cost.values()) / 1e6:.0f} MB")


def test_a_worker_killed_in_a_search_costs_its_shards_only(tmp_path, cluster, capsys):
    from distributed import Client

    rng = np.random.default_rng(0)
    rows = rng.standard_normal((IMAGES, 128), np.float32).astype(np.float16)
    queries = rng.standard_normal((70, 128), np.float32)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="c")
    address, (_, first, second) = cluster
    answers: list[sharded.Answer] = []

    def kill_one_at_work() -> None:
        with Client(address, set_as_default=False) as client:
            while first.poll() is None:
                if all(client.processing().values()):  # both have shards
                    os.kill(first.pid, signal.SIGKILL)
                time.sleep(0.05)

    killer = threading.Thread(target=kill_one_at_work)
    killer.start()
    with calls(Sharding(SHARDS, "dask", scheduler=address), tmp_path) as jobs:

        def noted(function, tasks, label):
            answers.extend(jobs(function, tasks, label))
            return answers

        found = ShardedSearch(SHARDS, noted, tmp_path / "searches")(queries, mapped, 1000)
    killer.join()
    assert first.poll() == -signal.SIGKILL
    assert len(answers) == SHARDS
    assert answers[-1].process.endswith(f"-{second.pid}")
    expected = top_k(queries, rows, 1000)
    assert np.array_equal(found.indices, expected.indices)
    assert np.array_equal(found.scores, expected.scores)
    peaks = sorted(answer.cost.peak_bytes for answer in answers)
    with capsys.disabled():
        largest, least = peaks[-1] / 1e6, peaks[0] / 1e6
        print(f"\npeak of a worker above its start: {largest:.0f} MB with the libraries, {least:.0f} MB after")
