from __future__ import annotations

import numpy as np
import pytest
from small_pools import CASES, small_pool

from harness.active import Pool
from harness.core.errors import InvalidInput
from harness_acquisition.galaxy import Galaxy

RNG = np.random.default_rng


def slow_pick(order, labels, k):
    """Node by node along one order; -1 where nothing is found."""
    n, last, best, pick = len(order), None, len(order) + 1, -1
    for place, position in enumerate(order):
        if labels[position] >= 0:
            gap = 0 if last is None else place - last - 1
            if gap and (labels[order[last]] == k) != (labels[position] == k) and gap < best:
                best, pick = gap, order[(last + 1 + place - 1) // 2]
            last = place
    if pick >= 0:
        return pick
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
    return pick


def slow(pool, budget, rng, truth):
    p, labels, picks = pool.probabilities.astype(np.float64), pool.labels.copy(), []
    n, c = p.shape
    free = rng.permutation(pool.unlabelled).tolist()
    score = lambda i, k: p[i, 0] if c == 2 else p[i, k] - p[i].max() + 1e-8 * p[i].max()  # noqa: E731
    for _ in range(budget):
        k = int(rng.integers(1 if c == 2 else c))
        pick = slow_pick(sorted(range(n), key=lambda i: (-score(i, k), i)), labels, k)  # noqa: B023
        pick = pick if pick >= 0 else next(i for i in free if labels[i] < 0)
        labels[pick] = truth[pick]
        picks.append(pick)
    return picks


def test_picks_equal_those_found_node_by_node():
    for seed, kind in CASES:
        if kind == "no label":
            continue
        pool, budget = small_pool(seed, kind)
        truth = RNG(seed).integers(0, pool.probabilities.shape[1], len(pool.labels))
        asked = []

        def ask(position, truth=truth, asked=asked):
            asked.append(position)
            return int(truth[position])

        picks = Galaxy().select_asking(pool, budget, RNG(seed), ask).tolist()
        assert picks == asked == slow(pool, budget, RNG(seed), truth), (seed, kind)
        predicted = pool.probabilities.argmax(axis=1)
        assert Galaxy().select(pool, budget, RNG(seed)).tolist() == slow(pool, budget, RNG(seed), predicted)


def test_two_classes_are_bisected():
    """Scores fall along the positions; the classes change at 50: halving finds the border."""
    p = np.linspace(0.99, 0.01, 101)
    labels = np.full(101, -1)
    labels[0], labels[100] = 0, 1
    pool = Pool(np.zeros((101, 1)), np.stack([p, 1 - p], axis=1), labels)
    picks = Galaxy().select_asking(pool, 7, RNG(0), lambda position: int(position >= 58))
    assert picks.tolist() == [50, 75, 62, 56, 59, 57, 58]


def test_it_needs_a_label():
    pool, _ = small_pool(0, "no label")
    with pytest.raises(InvalidInput, match="at least one labelled"):
        Galaxy().select(pool, 1, RNG(0))
