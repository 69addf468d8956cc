"""A million descriptors from a mapped file, in a process of their own: how much memory and time that takes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

N, Q, D = 1_000_000, 70, 512
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from harness.cache import Cache
from harness.core.progress import SilentProgress
from harness.plugin_api import DataFolders
from harness.retrieval import task
from harness.retrieval.descriptors import DescriptorFiles
from harness.retrieval.pipeline import RetrievalMethods, RetrievalTask
from harness.retrieval.protocol import RetrievalProtocol
from harness.search import top_k
from harness_dataset.descriptors import DescriptorGroundTruth

task._TIMED_QUERIES = 1
folder = Path(sys.argv[1])
files = DescriptorFiles(folder / "database.npy", folder / "queries.npy")
rows, queries = np.load(files.database, mmap_mode="r"), np.load(files.queries)
top_k(queries, rows[:20_000], 100)  # compiles the kernels


def private():  # pages of the mapped file come and go, and are not counted
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


import threading
peak, done = private(), False


def watch():
    global peak
    while not done:
        peak = max(peak, private())
        time.sleep(0.02)


threading.Thread(target=watch, daemon=True).start()
dataset = DescriptorGroundTruth(folder / "gnd.json", distractors=int(sys.argv[2])).load(DataFolders(folder, folder))
methods = RetrievalMethods(descriptors=files)
keys = {"dataset": "million", "descriptors": "million"}
task = RetrievalTask(dataset, methods, RetrievalProtocol(), keys, Cache(None), SilentProgress())
searches, bare = [], []
result = task.run()
for _ in range(2):
    start = time.perf_counter()
    top_k(queries, rows, 10_000)
    bare.append(time.perf_counter() - start)
    described = task.describe()
    start = time.perf_counter()
    task.search(described)
    searches.append(time.perf_counter() - start)
done = True
print(json.dumps({"peak": peak, "search": min(searches), "bare": min(bare), "map": result.scores["medium"].map}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("distractors", [0, N - 5_000])
def test_a_million_descriptors_are_searched_from_their_file(tmp_path, distractors):
    """Peak of private memory below 2 GB, search within 1.5 of a bare top-k; queries find the rows they were made of."""
    rng = np.random.default_rng(0)
    rows = np.lib.format.open_memmap(tmp_path / "database.npy", "w+", np.float16, (N, D))
    for start in range(0, N, 50_000):
        block = rng.standard_normal((50_000, D), np.float32)
        rows[start : start + 50_000] = block / np.linalg.norm(block, axis=1, keepdims=True)
    queries = rows[:Q].astype(np.float32) + 0.01 * rng.standard_normal((Q, D)).astype(np.float32)
    np.save(tmp_path / "queries.npy", queries / np.linalg.norm(queries, axis=1, keepdims=True))
    del rows
    names = [str(i) for i in range(N - distractors)]
    truth = [{"image": f"q{q}", "easy": [q], "hard": [], "junk": []} for q in range(Q)]
    (tmp_path / "gnd.json").write_text(json.dumps({"imlist": names, "queries": truth}))
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(distractors)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    print(measured)
    assert measured["map"] == 1.0
    assert measured["peak"] < 2e9
    assert measured["search"] < 1.5 * measured["bare"]
