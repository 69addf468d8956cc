"""``evaluate`` against the same protocol as a plain Python loop: 70 queries, 1,000,000 ranks."""

from __future__ import annotations

import time

import numpy as np
import pytest

from harness.metrics.ranking import evaluate

QUERIES, DATABASE = 70, 1_000_000


def plain_loop(ranks, ground_truth):
    """AP of the three setups, one rank after the other."""
    result = {}
    for setup, wanted, removed in (
        ("easy", ("easy",), ("junk", "hard")),
        ("medium", ("easy", "hard"), ("junk",)),
        ("hard", ("hard",), ("junk", "easy")),
    ):
        result[setup] = []
        for row, truth in zip(ranks, ground_truth, strict=True):
            positives = {i for label in wanted for i in truth[label]}
            junk = {i for label in removed for i in truth[label]}
            rank, hits, area = 0, 0, 0.0
            for image in row:
                if image in junk:
                    continue
                if image in positives:
                    before = 1.0 if rank == 0 else hits / rank
                    hits += 1
                    area += (before + hits / (rank + 1)) / 2
                rank += 1
            result[setup].append(area / len(positives))
    return result


@pytest.mark.slow
def test_evaluate_takes_at_most_a_tenth_of_a_plain_loop(benchmark):
    rng = np.random.default_rng(0)
    ranks = np.stack([rng.permutation(DATABASE) for _ in range(QUERIES)])
    chosen = [rng.choice(DATABASE, 120, replace=False).tolist() for _ in range(QUERIES)]
    truth = [{"easy": ids[:40], "hard": ids[40:80], "junk": ids[80:]} for ids in chosen]
    scores = benchmark.pedantic(evaluate, (ranks, truth), rounds=3)
    start = time.perf_counter()
    plain = plain_loop([row.tolist() for row in ranks], truth)
    ratio = (time.perf_counter() - start) / benchmark.stats.stats.min
    for setup, aps in plain.items():
        np.testing.assert_allclose(scores[setup].ap, aps, rtol=1e-10)
    print(f"\nevaluate {benchmark.stats.stats.min:.2f} s, plain loop {ratio:.0f} times as long")
    assert ratio >= 10
