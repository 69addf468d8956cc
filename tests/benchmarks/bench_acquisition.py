"""What every registered acquisition costs: 50,000 x 128, 10 and 100 classes, 1,000 labelled, budget 1,000.

``python tests/benchmarks/bench_acquisition.py`` prints the table of docs/acquisitions.md: processor time as a multiple
of that of ``kmeans``, and peak memory. ``--only NAME...`` measures some, ``--classes 10`` one number of classes,
``--limit`` bounds the processor time of each. Each runs in a process of its own with one thread, so that its peak
memory is its own; libraries are loaded by a small pool before. ``--one NAME`` measures one here and prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

from harness.active import Pool
from harness.core.cost import measured
from harness.plugin_api import LinearHead
from harness.plugin_api.contract import require_picks
from harness.registry import load_registry
from harness.registry.parameters import describe

DIMENSION = 128
BASELINE = "kmeans"
REGISTRY = load_registry()
NAMES = [
    name
    for name in REGISTRY.names("acquisition")
    if all(parameter.default is not None for parameter in describe(REGISTRY.entry("acquisition", name).load()))
]
"""All but those that cannot choose without being told from what (replay)."""
LIMIT = 600
"""Seconds of a processor that one may take."""
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
    method = REGISTRY.create("acquisition", name)
    method.select(pool_of(400, 50, classes), 20, np.random.default_rng(0))
    pool, budget = pool_of(50_000, 1_000, classes), BUDGETS.get(name, 1_000)
    assert len(pool.unlabelled) == 49_000
    with measured() as cost:
        picks = method.select(pool, budget, np.random.default_rng(0))
    require_picks(name, picks, pool, budget)
    found = {"seconds": cost.wall_s, "cpu": cost.cpu_s, "bytes": cost.peak_bytes}
    if name in BARE:
        ratios = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            method.select(pool, budget, np.random.default_rng(0))
            middle = time.perf_counter()
            BARE[name](pool.probabilities[pool.unlabelled], budget)
            ratios.append((middle - start) / (time.perf_counter() - middle))
        found["ratio"] = float(np.median(ratios))
    return found


def measured_alone(name, classes, limit=LIMIT):
    """What ``cost_of`` finds in a process of its own; None if it takes more than ``limit`` seconds of a processor."""
    # One thread: on a busy machine threads that wait for each other measure the machine.
    alone = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--one", name, "--classes", str(classes)]
    bounded = partial(resource.setrlimit, resource.RLIMIT_CPU, (limit, limit))
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=alone, preexec_fn=bounded)  # noqa: PLW1509
    if answer.returncode < 0:
        return None
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def table(names, classes, limit=LIMIT):
    """Print the table row by row; costs by name and number of classes."""
    base = {c: measured_alone(BASELINE, c, limit) for c in classes}
    counts = " and ".join(map(str, classes))
    print(f"| acquisition | {' | '.join(f'{c} classes' for c in classes)} | peak memory, MB, {counts} classes |")
    print(f"| --- |{' ---: |' * (len(classes) + 1)}", flush=True)
    costs = {}
    for name in names:
        found = [base[c] if name == BASELINE else measured_alone(name, c, limit) for c in classes]
        costs |= {(name, c): cost for c, cost in zip(classes, found, strict=True)}
        times = [
            f"{one['cpu'] / base[c]['cpu']:.2g}" if one else f"over {limit / base[c]['cpu']:.0f}"
            for c, one in zip(classes, found, strict=True)
        ]
        memory = ", ".join(f"{one['bytes'] / 1e6:.0f}" if one else "?" for one in found)
        small = f" (b = {BUDGETS[name]})" if name in BUDGETS else ""
        print(f"| `{name}`{small} | {' | '.join(times)} | {memory} |", flush=True)
    return costs


@pytest.mark.slow
def test_every_acquisition_within_its_bounds():
    costs = table(NAMES, (10,))
    assert None not in costs.values()
    assert all(cost.get("ratio", 0) <= 2 for cost in costs.values())
    assert max(costs["badge", 10]["bytes"], costs["typiclust", 10]["bytes"]) < 2 * GIB


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--one", choices=NAMES, help="measure this one here, and print JSON")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--classes", nargs="+", type=int, default=[10, 100])
    parser.add_argument("--limit", type=int, default=LIMIT)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(cost_of(options.one, options.classes[0])))
    else:
        table(options.only, options.classes, options.limit)


if __name__ == "__main__":
    main()
