"""What every registered acquisition costs: 50,000 x 128, 10 or 100 classes, 1,000 labelled, budget 1,000.

Each runs in a process of its own, so that its peak memory is its own; libraries are loaded by a small pool before.
``python tests/benchmarks/bench_acquisition.py NAME [CLASSES]`` measures one and prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from harness.active import Pool
from harness.core.cost import measured
from harness.plugin_api import LinearHead
from harness.plugin_api.contract import require_picks
from harness.registry import load_registry

DIMENSION = 128
NAMES = load_registry().names("acquisition")
BUDGETS = {"batch-bald": 10, "bait": 100, "activeft": 100}
"""Smaller ones, of methods that are made for small batches or that take minutes."""
ROUNDS = 15
GIB = 2**30


def pool_of(n, labelled, classes=10, seed=0):
    """Fifty overlapping Gaussians on the unit sphere; confident and doubtful predictions; dropout for nothing."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(50, DIMENSION))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    group = rng.integers(0, 50, n)
    spread = rng.normal(size=(n, DIMENSION)).astype(np.float32)
    spread *= 1.2 / np.linalg.norm(spread, axis=1, keepdims=True)
    features = (centres[group] + spread).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    logits = rng.normal(size=(n, classes)) * 2
    logits[np.arange(n), group % classes] += 4
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.full(n, -1)
    chosen = rng.choice(n, labelled, replace=False)
    labels[chosen] = group[chosen] % classes

    def dropout(t):
        shares = np.linspace(0.9, 1.0, t, dtype=np.float32)[:, None, None]
        return shares * probabilities.astype(np.float32) + (1 - shares) / classes

    head = LinearHead(rng.normal(size=(classes, DIMENSION)).astype(np.float32), np.zeros(classes, np.float32))
    return Pool(features, probabilities, labels, None, dropout, head=lambda: head)


def bare_entropy(p, budget):
    return np.argsort((p * np.log(p + 1e-10)).sum(axis=1))[:budget]


def bare_margin(p, budget):
    two = np.partition(p, -2, axis=1)
    return np.argsort(two[:, -1] - two[:, -2])[:budget]


def bare_least_confidence(p, budget):
    return np.argsort(p.max(axis=1))[:budget]


BARE = {"entropy": bare_entropy, "margin": bare_margin, "least-confidence": bare_least_confidence}


def cost_of(name, classes=10):
    """Seconds, peak memory, and for three of them the ratio to the bare expression of numpy (medians, interleaved)."""
    method = load_registry().create("acquisition", name)
    method.select(pool_of(400, 50, classes), 20, np.random.default_rng(0))
    pool, budget = pool_of(50_000, 1_000, classes), BUDGETS.get(name, 1_000)
    assert len(pool.unlabelled) == 49_000
    with measured() as cost:
        picks = method.select(pool, budget, np.random.default_rng(0))
    require_picks(name, picks, pool, budget)
    found = {"seconds": cost.wall_s, "cpu": cost.cpu_s, "bytes": cost.peak_bytes}
    if name in BARE:
        ratios, seconds = [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            method.select(pool, budget, np.random.default_rng(0))
            middle = time.perf_counter()
            BARE[name](pool.probabilities[pool.unlabelled], budget)
            end = time.perf_counter()
            ratios.append((middle - start) / (end - middle))
            seconds.append(middle - start)
        found |= {"seconds": float(np.median(seconds)), "ratio": float(np.median(ratios))}
    return found


@pytest.mark.slow
def test_every_acquisition_within_its_bounds():
    costs = {}
    for name in NAMES:
        # One thread: on a busy machine threads that wait for each other measure the machine.
        alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, __file__, name]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, env=alone)
        assert answer.returncode == 0, answer.stderr
        costs[name] = json.loads(answer.stdout.splitlines()[-1])
    print("\n| acquisition | seconds | CPU seconds | peak memory, MB | to bare numpy |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, cost in costs.items():
        ratio = f"{cost['ratio']:.2f}" if "ratio" in cost else ""
        print(f"| `{name}` | {cost['seconds']:.2g} | {cost['cpu']:.2g} | {cost['bytes'] / 1e6:.0f} | {ratio} |")
    assert all(cost.get("ratio", 0) <= 2 for cost in costs.values())
    assert max(costs["badge"]["bytes"], costs["typiclust"]["bytes"]) < 2 * GIB


if __name__ == "__main__":
    print(json.dumps(cost_of(sys.argv[1], *map(int, sys.argv[2:]))))
