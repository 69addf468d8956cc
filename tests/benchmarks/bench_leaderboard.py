"""``harness leaderboard`` and ``page`` of 10,000 records: retrieval of 70 queries, active learning in 10 cycles."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

import harness
from harness.runs.identity import protocol_identity, recorded_id
from harness.runs.record import Record
from harness.runs.store import Store

QUERIES, RANKS, CYCLES = 70, 100, 10
SECONDS = 5.0
PAGE_SECONDS, PAGE_BYTES = 20.0, 20_000_000
METHOD = {"plugin": "p", "version": "1", "digest": "d", "origin": "o"}
COST = {"wall_s": 1.0, "cpu_s": 1.0, "peak_bytes": 1_000_000, "cached": False}


def retrieval(dataset, method, seed, rng):
    aps = {f"ap_{setup}": rng.random(QUERIES).tolist() for setup in ("easy", "medium", "hard")}
    return {
        "task": "retrieval",
        "methods": {"pooling": {"kind": "pooling", "name": "gem", "parameters": {"p": 1 + method / 100}, **METHOD}},
        "metrics": {f"map_{setup}": float(np.mean(aps[f"ap_{setup}"])) for setup in ("easy", "medium", "hard")},
        "details": {**aps, "ranks": (rng.integers(0, 4900, (QUERIES, 1)) + np.arange(RANKS)).tolist()},
        "cost": dict.fromkeys(("describe database", "describe queries", "search"), COST),
        "figures": {"query_s_p50": float(rng.random()), "bytes_per_image": 512.0},
    }


def active(dataset, method, seed, rng):
    accuracy = (0.5 + 0.03 * np.arange(CYCLES) + rng.normal(0, 0.02, CYCLES)).tolist()
    costs = dict.fromkeys(("train", "extract", "acquire"), COST)
    cycles = [{"n_labelled": 10 * n, "accuracy": a, **costs} for n, a in enumerate(accuracy, start=1)]
    return {
        "task": "active-learning",
        "methods": {"acquisition": {"kind": "acquisition", "name": "a", "parameters": {"x": method}, **METHOD}},
        "metrics": {f"accuracy@{10 * n}": a for n, a in enumerate(accuracy, start=1)},
        "details": {"cycles": cycles},
        "cost": costs,
        "figures": {"acquire_s": float(rng.random())},
    }


def write(folder, make, datasets, methods, seeds):
    rng, store = np.random.default_rng(0), Store(folder)
    for dataset in range(datasets):
        for method in range(methods):
            for seed in range(seeds):
                made = make(dataset, method, seed, rng)
                about = {"name": f"set{dataset}", "loader": "l", "parameters": {}, "fingerprint": f"{dataset:064d}"}
                run = {"id": f"{dataset}-{method}-{seed}", "status": "done", "seed": seed, "dataset": about}
                fixed = {
                    "protocol": {},
                    "protocol_id": protocol_identity(made["task"], {}, {}),
                    "started": "",
                    "finished": "",
                }
                record = Record(**made, **run, **fixed)
                store.write(record.model_copy(update={"id": recorded_id(record)}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "datasets", "methods", "seeds"),
    [(retrieval, 10, 1000, 1), (retrieval, 100, 100, 1), (active, 10, 100, 10), (active, 1, 10, 1000)],
    ids=["1000 poolings", "100 poolings", "100 acquisitions, 10 seeds", "10 acquisitions, 1000 seeds"],
)
def test_ten_thousand_records_are_a_table_in_five_seconds(tmp_path, capsys, make, datasets, methods, seeds):
    write(tmp_path, make, datasets, methods, seeds)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "harness", "leaderboard", str(tmp_path)], capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n{datasets} tables of {methods} methods, {seeds} runs each: {seconds:.1f} s")
    assert done.stdout.count("\n## ") + done.stdout.startswith("## ") >= datasets
    assert seconds < SECONDS


@pytest.mark.slow
def test_ten_thousand_records_are_a_page_in_twenty_seconds(tmp_path, capsys):
    """Seconds of the processor: those of the clock depend on what else the machine does."""
    write(tmp_path / "runs", active, 20, 50, 10)
    start = time.process_time()
    written = harness.write_page(tmp_path / "runs", tmp_path / "site")
    seconds, size = time.process_time() - start, written.index.stat().st_size
    with capsys.disabled():
        print(f"\n{written.records} records, {written.boards} boards: page in {seconds:.1f} s, {size / 1e6:.1f} MB")
    assert written.records == 10_000
    assert size < PAGE_BYTES
    assert seconds < PAGE_SECONDS
