"""Metrics that boards show, one rank or cycle after the other in plain Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array
from harness_evidence.protocols import some_rankings

_TOLERANCE: Final = 1e-12
SETUPS: Final = {"easy": ("easy", "junk hard"), "medium": ("easy hard", "junk"), "hard": ("hard", "junk easy")}


def revisited(ranks: Any, ground_truth: Any, ks: Sequence[int]) -> dict[str, Any]:
    """The revisited protocol read aloud: set-up -> average precisions, their mean, precisions, their means."""
    result = {}
    for setup, (wanted, removed) in SETUPS.items():
        aps, precisions = [], []
        for row, truth in zip(ranks, ground_truth, strict=True):
            positives = {i for label in wanted.split() for i in truth[label]}
            junk = {i for label in removed.split() for i in truth[label]}
            if not positives:
                aps.append(math.nan)
                precisions.append([math.nan] * len(ks))
                continue
            rank, hits, area, hit_ranks = 0, 0, 0.0, []
            for image in row:
                if image in junk:
                    continue
                if image in positives:
                    before = 1.0 if rank == 0 else hits / rank
                    hits += 1
                    area += (before + hits / (rank + 1)) / 2 / len(positives)
                    hit_ranks.append(rank + 1)
                rank += 1
            aps.append(area)
            last = hit_ranks[-1] if len(hit_ranks) == len(positives) else math.inf
            cuts = [min(k, last) for k in ks]
            precisions.append([sum(r <= cut for r in hit_ranks) / cut for cut in cuts])
        valid = [i for i, ap in enumerate(aps) if not math.isnan(ap)]
        mean = math.fsum(aps[i] for i in valid) / len(valid) if valid else math.nan
        mean_precision = [
            math.fsum(precisions[i][j] for i in valid) / len(valid) if valid else math.nan for j in range(len(ks))
        ]
        result[setup] = (aps, mean, precisions, mean_precision)
    return result


def orders(values: Array) -> Iterator[list[int]]:
    """All orders of positions by falling values, equal ones in every order."""
    groups = [np.flatnonzero(values == value) for value in sorted(set(values.tolist()), reverse=True)]
    for parts in itertools.product(*(itertools.permutations(group.tolist()) for group in groups)):
        yield [position for part in parts for position in part]


def retrieval(create: Create) -> Iterator[Comparison]:
    """Read aloud: one query and one rank after the other; of tied images the mean over all orders."""
    ks = (1, 3, 10)
    for seed in range(20):
        rows, _, truth, _, n = some_rankings(seed)
        found = create(rows, truth, ks, n_database=n)
        for setup, (aps, mean, precisions, _) in revisited(rows, truth, ks).items():
            case = f"{setup}, rankings {seed}"
            yield Comparison(f"average precision, {case}", found[setup].ap, aps, _TOLERANCE)
            yield Comparison(f"mean, {case}", found[setup].map, mean, _TOLERANCE)
            yield Comparison(f"precision, {case}", found[setup].precision, precisions, _TOLERANCE)
    for seed in range(10):
        rng = RNG(seed)
        values, labels = rng.integers(0, 3, 6), rng.choice(["easy", "hard", "junk", ""], 6)
        judged = {name: np.flatnonzero(labels == name).tolist() for name in ("easy", "hard", "junk")}
        every = [revisited([order], [judged], ks) for order in orders(values)]
        first = next(orders(values))
        tied = create([first], [judged], ks, scores=values[first][None], n_database=6)
        for setup in SETUPS:
            mean = np.mean([one[setup][0] for one in every], axis=0)
            yield Comparison(f"average precision, {setup}, ties {seed}", tied[setup].ap, mean, _TOLERANCE)
            mean = np.mean([one[setup][2] for one in every], axis=0)
            yield Comparison(f"precision, {setup}, ties {seed}", tied[setup].precision, mean, _TOLERANCE)


def accuracy(create: Create) -> Iterator[Comparison]:
    """Equal predictions counted one by one."""
    for seed in range(5):
        labels, predicted = RNG(seed).integers(0, 4, (2, 50)).tolist()
        right = sum(a == b for a, b in zip(predicted, labels, strict=True))
        yield Comparison(f"predictions {seed}", create(predicted, labels), right / 50, _TOLERANCE)


def _curve(seed: int) -> tuple[list[int], list[float]]:
    rng = RNG(seed)
    cycles = 1 + seed % 6
    return np.cumsum(rng.integers(1, 30, cycles)).tolist(), rng.random(cycles).tolist()


def area_under_curve(create: Create) -> Iterator[Comparison]:
    """Trapezoids between cycles, one after the other."""
    for seed in range(12):
        x, y = _curve(seed)
        pieces = [(y[i] + y[i + 1]) / 2 * (x[i + 1] - x[i]) for i in range(len(x) - 1)]
        expected = math.fsum(pieces) / (x[-1] - x[0]) if pieces else y[0]
        yield Comparison(f"curve {seed}, {len(x)} cycles", create(x, y), expected, _TOLERANCE)


def labels_needed(create: Create) -> Iterator[Comparison]:
    """The straight line between the last cycle below the target and the first above, halved until it is found."""
    for seed in range(12):
        x, y = _curve(seed)
        for target in (0.2, 0.6, 0.95):
            reached = [i for i, value in enumerate(y) if value >= target]
            expected = math.nan if not reached else float(x[reached[0]])
            if reached and reached[0] > 0:
                low, high, i = 0.0, 1.0, reached[0]
                for _ in range(60):
                    middle = (low + high) / 2
                    below = (1 - middle) * y[i - 1] + middle * y[i] < target
                    low, high = (middle, high) if below else (low, middle)
                expected = x[i - 1] + high * (x[i] - x[i - 1])
            yield Comparison(f"curve {seed}, {target:g}", create(x, y, target), expected, 1e-9)
