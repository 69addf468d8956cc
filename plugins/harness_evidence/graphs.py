"""Acquisition functions that go along a graph of the examples, node by node or as dense matrices in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.active import Pool
from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array
from harness_evidence.pools import small_pool

Generator = np.random.Generator


def slow_galaxy_pick(order: Any, labels: Array, k: int) -> int:
    """Node by node along one order; -1 where nothing is found."""
    n, last, best, pick = len(order), None, len(order) + 1, -1
    for place, position in enumerate(order):
        if labels[position] >= 0:
            gap = 0 if last is None else place - last - 1
            if last is not None and gap and (labels[order[last]] == k) != (labels[position] == k) and gap < best:
                best, pick = gap, order[(last + 1 + place - 1) // 2]
            last = place
    if pick >= 0:
        return int(pick)
    cuts = [
        q
        for q in range(n - 1)
        if labels[order[q]] >= 0 and labels[order[q + 1]] >= 0 and labels[order[q]] != k and labels[order[q + 1]] == k
    ]
    for q in cuts:
        above = [r for r in range(q) if labels[order[r]] < 0]
        if above and q - above[-1] <= best:
            best, pick = q - above[-1], order[above[-1]]
    for q in cuts:
        below = [r for r in range(q + 2, n) if labels[order[r]] < 0]
        if below and below[0] - (q + 1) < best:
            best, pick = below[0] - (q + 1), order[below[0]]
    return int(pick)


def slow_galaxy(pool: Pool, budget: int, rng: Generator, truth: Array) -> list[int]:
    """Each pick found node by node, its label known before the next."""
    p, labels, picks = pool.probabilities.astype(np.float64), pool.labels.copy(), list[int]()
    n, c = p.shape
    free = rng.permutation(pool.unlabelled).tolist()

    def score(i: int, k: int) -> float:
        return float(p[i, 0] if c == 2 else p[i, k] - p[i].max() + 1e-8 * p[i].max())

    for _ in range(budget):
        k = int(rng.integers(1 if c == 2 else c))
        pick = slow_galaxy_pick(sorted(range(n), key=lambda i: (-score(i, k), i)), labels, k)  # noqa: B023
        pick = pick if pick >= 0 else next(i for i in free if labels[i] < 0)
        labels[pick] = truth[pick]
        picks.append(pick)
    return picks


def slow_jlp(graph: Array, labelled: Any, budget: int, alpha: float = 0.99) -> list[int]:
    """One dense inverse; after each pick the least reached example, of equals the first."""
    inverse = np.linalg.inv(np.eye(len(graph)) - alpha * graph)
    known, picks = [int(i) for i in labelled], list[int]()
    for _ in range(budget):
        u = inverse[:, known].sum(axis=1)
        u[known] = np.inf
        picks.append(int(np.flatnonzero(u <= max(u.min(), 0) * (1 + 1e-9) + 1e-13)[0]))
        known.append(picks[-1])
    return picks


def galaxy(create: Create) -> Iterator[Comparison]:
    """Orders of the examples searched node by node."""
    for seed in range(10):
        pool, budget = small_pool(seed)
        predicted = pool.probabilities.argmax(axis=1)
        picks = create().select(pool, budget, RNG(seed))
        yield Comparison(f"pool {seed}", picks, slow_galaxy(pool, budget, RNG(seed), predicted))


def jlp(create: Create) -> Iterator[Comparison]:
    """A dense inverse, looked at again after every pick."""
    from harness.graph import affinity, normalise

    rng = RNG(0)
    features = (
        rng.standard_normal((12, 16))[rng.integers(12, size=200)] + 0.6 * rng.standard_normal((200, 16))
    ).astype(np.float32)
    labels = np.full(200, -1)
    labels[rng.choice(200, 12, replace=False)] = np.arange(12) % 3
    pool = Pool(features, np.full((200, 3), 1 / 3, np.float32), labels)
    for k, gamma in ((50, 3.0), (8, 3.0), (50, 1.0)):
        graph = normalise(affinity(features, k, gamma)).toarray().astype(np.float64)
        picks = create(k=k, gamma=gamma).select(pool, 15, RNG(0))
        yield Comparison(f"k = {k}, gamma = {gamma:g}", picks, slow_jlp(graph, pool.labelled, 15))
