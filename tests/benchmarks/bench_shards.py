"""A million descriptors in shards: exact against the bare product and top-k, and IVF-PQ with its recall.

1,000,000 x 512 float16 in a file, 70 queries. Rows lie around 5,000 centres, as photographs of objects do; what IVF-PQ
finds depends on that. Everything runs in a process of its own with two threads: exact search in eight
shards (one after the other, as one machine does them) and the bare way in turns; then the index, its recall of the 100
best, and its search in turns with the exact one. ``pytest tests/benchmarks/bench_shards.py -m slow -s`` prints it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

IMAGES, DIMENSION, QUERIES, DEPTH, SHARDS, CENTRES = 1_000_000, 512, 70, 100, 8, 5_000
ROUNDS = 3
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@pytest.mark.slow
def test_search_by_shards_against_the_bare_product_and_ivf_pq(tmp_path):
    environment = {**os.environ, **dict.fromkeys(THREADS, "2")}
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(report(found))
    assert min(found["shards"]) / min(found["bare"]) <= 1.5
    assert found["recall@100"] >= 0.9
    assert min(found["one"]) / min(found["alone"]) > 1


def report(found: dict[str, Any]) -> str:
    best = {name: min(found[name]) for name in ("shards", "bare", "ivf-pq", "alone", "one")}
    cpu = {name: min(found["cpu"][name]) for name in ("shards", "bare", "ivf-pq")}
    index, rate = found["index"] / IMAGES, IMAGES / found["build_cpu"] / 1e3
    return f"""
exact search in {SHARDS} shards against the bare product and top-k: {best["shards"] / best["bare"]:.2f} of its time, \
{cpu["shards"] / cpu["bare"]:.2f} of its CPU seconds
million products of a vector and a query a second and core: {IMAGES * QUERIES / cpu["shards"] / 1e6:.0f}
peak of a job above its start: {found["peak"] / 1e6:.0f} MB; of the file: {found["file"] / 1e9:.2f} GB
ivf-pq: {found["lists"]} lists, {found["probes"]} probed, {found["code_bytes"]} bytes an image
recall@100 on {found["sampled"]} queries: {found["recall@100"]:.3f}
speed-up over the exact search: {best["shards"] / best["ivf-pq"]:.1f} times for {QUERIES} queries, \
{best["one"] / best["alone"]:.1f} times for one; CPU seconds of {QUERIES}: {cpu["shards"] / cpu["ivf-pq"]:.1f} times
building the index: {found["build_cpu"] / cpu["shards"]:.0f} exact searches; \
{rate:.0f} thousand vectors a second and core; {index:.0f} bytes an image"""


def bare(queries, array, rows):
    """Scores (q, DEPTH) of the best: float32 blocks, product, partition, and of what is left."""
    import numpy as np
    import torch

    values = []
    for first in range(0, len(array), rows):
        scores = queries @ torch.from_numpy(array[first : first + rows]).float().numpy().T
        values.append(np.take_along_axis(scores, np.argpartition(-scores, DEPTH, axis=1)[:, :DEPTH], axis=1))
    together = np.concatenate(values, axis=1)
    return -np.sort(-together, axis=1)[:, :DEPTH]


def draw(file: Path):
    import numpy as np

    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CENTRES, DIMENSION), dtype=np.float32)
    rows = np.lib.format.open_memmap(file, "w+", np.float16, (IMAGES, DIMENSION))

    def some(count: int):
        near = centres[rng.integers(0, CENTRES, count)] + rng.standard_normal((count, DIMENSION), dtype=np.float32)
        return near / np.linalg.norm(near, axis=1, keepdims=True)

    for start in range(0, IMAGES, 50_000):
        rows[start : start + 50_000] = some(50_000)
    rows.flush()
    return some(QUERIES)


def main(folder: Path) -> None:
    import time
    from functools import partial

    import numpy as np

    from harness.core.cost import measured
    from harness.search import top_k
    from harness.search.ivf_pq import ApproximateSearch
    from harness.search.sharded import ShardedSearch, here

    found: dict[str, Any] = {}

    def timed(name: str, work) -> None:
        start, cpu = time.perf_counter(), time.process_time()
        work()
        found[name].append(time.perf_counter() - start)
        found["cpu"][name].append(time.process_time() - cpu)

    file = folder / "rows.npy"
    queries = draw(file)
    rows, answers = np.load(file, mmap_mode="c"), []

    def jobs(function, tasks, label):
        answers[:] = here(function, tasks, label)
        return answers

    exact, approximate = ShardedSearch(SHARDS, jobs, folder), ApproximateSearch(SHARDS, jobs, folder)
    expected = bare(queries, rows, 32768)
    np.testing.assert_allclose(exact(queries, rows, DEPTH).scores, expected, rtol=1e-4, atol=1e-5)
    names = ("shards", "bare", "ivf-pq", "alone", "one")
    found.update({name: [] for name in names}, cpu={name: [] for name in names})
    for _ in range(ROUNDS):
        timed("shards", lambda: exact(queries, rows, DEPTH))
        found["peak"] = max(answer.cost.peak_bytes for answer in answers)
        timed("bare", lambda: bare(queries, rows, 32768))
    with measured() as cost:
        approximate.build([rows])
    approximate.measure(queries, [rows])
    for query in range(ROUNDS):
        timed("ivf-pq", lambda: approximate(queries, None, DEPTH))
        one = queries[query : query + 1]
        timed("alone", partial(approximate.alone, one, None, DEPTH))
        timed("one", partial(top_k, one, rows, DEPTH))
    index = sum(path.stat().st_size for path in folder.glob("harness-shards-*/*.faiss"))
    approximate.close()
    more = {"build_cpu": cost.cpu_s, "file": file.stat().st_size, "index": index}
    print(json.dumps({**found, **approximate.report, **more}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
