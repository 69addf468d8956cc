"""Acquisition functions that draw, or go by predictions and features, written out in float64."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.active import Pool
from harness.plugin_api import Comparison, Create
from harness.search import k_means
from harness_evidence import RNG, Array
from harness_evidence.coverage import slow_nearest_unused
from harness_evidence.pools import small_pool
from harness_evidence.uncertainty import entropies

Generator = np.random.Generator


def slow_linkage(features: Array, k: int) -> set[frozenset[int]]:
    """Average linkage by the update of distances, pair by pair; clusters as sets."""
    x = features.astype(np.float64)
    members = {i: [i] for i in range(len(x))}
    d = {(i, j): float(np.sqrt(((x[i] - x[j]) ** 2).sum())) for i in range(len(x)) for j in range(i + 1, len(x))}
    while len(members) > k:
        i, j = min(d, key=lambda pair: (d[pair], pair))
        for other in members:
            if other not in (i, j):
                first, second = d.pop((min(i, other), max(i, other))), d.pop((min(j, other), max(j, other)))
                sizes = len(members[i]), len(members[j])
                d[min(i, other), max(i, other)] = (sizes[0] * first + sizes[1] * second) / sum(sizes)
        del d[i, j]
        members[i] += members.pop(j)
    return {frozenset(group) for group in members.values()}


def slow_cluster_margin(pool: Pool, budget: int, wide: float = 1.25) -> list[int]:
    """Clusters of the smallest margins visited one by one, the smallest cluster first."""
    of = {i: g for g in slow_linkage(pool.features, max(1, len(pool.labels) // 2)) for i in g}
    top = np.sort(pool.probabilities.astype(np.float64), axis=1)
    free = sorted(pool.unlabelled.tolist(), key=lambda i: (top[i, -1] - top[i, -2], i))
    free = free[: max(budget, int(wide * budget))]
    groups: dict[frozenset[int], list[int]] = {}
    for i in free:
        groups.setdefault(of[i], []).append(i)
    order, picks = sorted(groups.values(), key=len), list[int]()
    while len(picks) < budget:
        for group in order:
            if group and len(picks) < budget:
                picks.append(group.pop(0))
    return picks


def slow_clue(pool: Pool, budget: int, rng: Generator) -> list[int]:
    """The examples nearest to weighted centres, found one by one; k-means itself is taken as it is."""
    points = pool.features[pool.unlabelled]
    points = np.asarray(points - np.median(points[:: max(1, len(points) // 101)], axis=0), np.float32)
    weights = entropies(pool.probabilities[pool.unlabelled].astype(np.float64))
    centres, _ = k_means(points, budget, int(rng.integers(2**31)), 20, weights)
    free, expected = list(range(len(points))), []
    for centre in centres.astype(np.float64):
        squares = [float(((points[i].astype(np.float64) - centre) ** 2).sum()) for i in free]
        expected.append(free.pop(int(np.argmin(squares))))
    return [int(i) for i in pool.unlabelled[expected]]


def slow_falcun(pool: Pool, budget: int, gamma: float, rng: Generator) -> list[int]:
    """Draw by draw, example by example."""
    p = pool.probabilities[pool.unlabelled].astype(np.float64)
    u = [float(1 - row[-1] + row[-2]) for row in np.sort(p, axis=1)]
    d, taken = list(u), list[int]()
    for number in range(budget):
        if number:
            d = [min(d[i], float(np.abs(p[i] - p[taken[-1]]).sum())) for i in range(len(p))]
            least, most = min(d), max(d)
            d = [(one - least) / (most - least) if most > least else 0.0 for one in d]
        chances = [0.0 if i in taken else (u[i] + d[i]) ** gamma for i in range(len(p))]
        if sum(chances) == 0:
            chances = [0.0 if i in taken else 1.0 for i in range(len(p))]
        place = rng.random() * sum(chances)
        taken.append(next(i for i in range(len(p)) if place < sum(chances[: i + 1])))
    return [int(i) for i in pool.unlabelled[taken]]


def slow_dropquery(pool: Pool, budget: int, rng: Generator, released: bool) -> list[int]:
    """Example by example in float64, but for k-means itself."""
    head, z = pool.head, pool.features[pool.unlabelled]
    assert head is not None  # noqa: S101

    def answer(row: Array) -> int:
        return int((head.weight.astype(np.float64) @ row + head.bias).argmax())

    masks = [rng.random(z.shape, dtype=np.float32) >= 0.75 for _ in range(3)]
    mismatch = np.array(
        [sum(answer(z[i] * mask[i] * 4.0) != answer(z[i].astype(float)) for mask in masks) for i in range(len(z))]
    )
    threshold = 1
    while released and threshold > 0 and (mismatch > threshold).sum() < 25 * budget:
        threshold -= 1
    candidates = [i for i in range(len(z)) if mismatch[i] > threshold]
    return _one_a_cluster(pool, candidates, budget, rng, 100)


def _one_a_cluster(pool: Pool, candidates: list[int], budget: int, rng: Generator, iterations: int) -> list[int]:
    """The candidates nearest to the middles of clusters; too few: all and others. k-means itself is taken as it is."""
    if len(candidates) <= budget:
        others = rng.permutation([i for i in range(len(pool.unlabelled)) if i not in candidates]).astype(int).tolist()
        return [int(i) for i in pool.unlabelled[(candidates + others)[:budget]]]
    x = pool.features[pool.unlabelled[candidates]].astype(np.float64)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    rows = np.asarray(x / np.where(lengths > 0, lengths, 1), np.float32)
    centres, _ = k_means(rows, budget, int(rng.integers(2**31)), iterations)
    picks = [candidates[i] for i in slow_nearest_unused(rows, centres)]
    return [int(i) for i in pool.unlabelled[picks]]


def mixture_changes(pool: Pool, i: int) -> Callable[[float], bool]:
    """Of a cap: whether example ``i``, mixed that far with the anchor of some class, is predicted otherwise."""
    assert pool.head is not None  # noqa: S101
    w, bias = pool.head.weight.astype(np.float64), pool.head.bias.astype(np.float64)
    z, known = pool.features[i].astype(np.float64), pool.labels >= 0
    scores = w @ z + bias
    predicted = int(scores.argmax())
    p = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    p[predicted] = -sum(p[k] for k in range(len(p)) if k != predicted)  # less 1, without loss of digits
    gradient = p @ w
    length = np.linalg.norm(gradient) or np.inf
    shares = []
    for k in range(pool.probabilities.shape[1]):
        own = pool.labels == k
        anchor = pool.features[own if own.any() else known].astype(np.float64).mean(axis=0)
        apart = anchor - z
        shares.append((anchor, np.linalg.norm(apart) / length * gradient / (apart + 1e-8) / len(z) ** 0.5))

    def changes(cap: float) -> bool:
        mixtures = [(1 - cap * share) * z + cap * share * anchor for anchor, share in shares]
        return any(int((w @ mixture + bias).argmax()) != predicted for mixture in mixtures)

    return changes


def slow_alfa_mix(pool: Pool, budget: int, rng: Generator, cap: float = 1 / 32, grows: bool = True) -> list[int]:
    """Example by example, anchor by anchor, cap by cap."""
    changes = [mixture_changes(pool, int(i)) for i in pool.unlabelled]
    candidates, bound = set[int](), 0.0
    while bound < 1:
        bound += cap
        candidates |= {j for j, change in enumerate(changes) if j not in candidates and change(bound)}
        if len(candidates) > budget or not grows:
            break
    return _one_a_cluster(pool, sorted(candidates), budget, rng, 20)


def _compared(
    create: Create, slow: Callable[[Pool, int, int], Any], seeds: range, **parameters: Any
) -> Iterator[Comparison]:
    for seed in seeds:
        pool, budget = small_pool(seed)
        picks = create(**parameters).select(pool, budget, RNG(seed))
        yield Comparison(f"pool {seed}", picks, slow(pool, budget, seed))


def random(create: Create) -> Iterator[Comparison]:
    """Draws without replacement by the same generator."""
    draw = lambda pool, budget, seed: RNG(seed).choice(pool.unlabelled, budget, replace=False)  # noqa: E731
    yield from _compared(create, draw, range(8))


def slow_balanced(pool: Pool, budget: int, rng: Generator, labels: Array) -> list[int]:
    """The class with the fewest labels and picks, again and again; of it the last one in an order drawn once."""
    left = [int(i) for i in pool.unlabelled[rng.permutation(len(pool.unlabelled))]]
    known = [int(label) for label in pool.labels if label >= 0]
    picks: list[int] = []
    while left and len(picks) < budget:
        classes = {int(labels[i]) for i in left}
        rarest = min(classes, key=lambda k: (known.count(k), k))
        pick = [i for i in left if labels[i] == rarest][-1]
        left.remove(pick)
        known.append(rarest)
        picks.append(pick)
    return picks


def balanced_random(create: Create) -> Iterator[Comparison]:
    """Pick by pick, class by class, from an order that is drawn alike."""
    predicted = lambda pool, budget, seed: slow_balanced(pool, budget, RNG(seed), pool.probabilities.argmax(axis=1))  # noqa: E731
    yield from _compared(create, predicted, range(8))


def cluster_margin(create: Create) -> Iterator[Comparison]:
    """Average linkage pair by pair, clusters visited one by one."""
    for wide in (1.25, 1.0, 10.0):
        slow = lambda pool, budget, _, wide=wide: slow_cluster_margin(pool, budget, wide)  # noqa: E731
        yield from _compared(create, slow, range(4), wide=wide)


def clue(create: Create) -> Iterator[Comparison]:
    """The examples nearest to weighted centres, one by one; k-means itself is taken as it is."""
    for seed in range(8):
        pool, budget = small_pool(seed)
        if budget < len(pool.unlabelled):
            picks = create().select(pool, budget, RNG(seed))
            yield Comparison(f"pool {seed}", picks, slow_clue(pool, budget, RNG(seed)))


def falcun(create: Create) -> Iterator[Comparison]:
    """Draw by draw, example by example."""
    for gamma in (10.0, 1.0, 0.0):
        slow = lambda pool, budget, seed, gamma=gamma: slow_falcun(pool, budget, gamma, RNG(seed))  # noqa: E731
        yield from _compared(create, slow, range(4), gamma=gamma)


def dropquery(create: Create) -> Iterator[Comparison]:
    """Example by example; k-means itself is taken as it is."""
    for seed in range(12):
        pool, budget = small_pool(seed)
        preset, budget = ("recommended", "released-code")[seed % 2], min(budget, 1 + seed % 5)
        picks = create(preset=preset).select(pool, budget, RNG(seed))
        expected = slow_dropquery(pool, budget, RNG(seed), preset == "released-code")
        yield Comparison(f"pool {seed}, {preset}", picks, expected)


def alfa_mix(create: Create) -> Iterator[Comparison]:
    """Mixtures example by example, anchor by anchor; k-means itself is taken as it is."""
    for seed in range(12):
        pool, budget = small_pool(seed)
        chosen: dict[str, Any] = ({}, {"cap": 0.2}, {"cap": 0.2, "grows": False}, {"cap": 1.0})[seed % 4]
        budget = min(budget, 1 + seed % 5)
        picks = create(**chosen).select(pool, budget, RNG(seed))
        yield Comparison(
            f"pool {seed}, {chosen or 'defaults'}", picks, slow_alfa_mix(pool, budget, RNG(seed), **chosen)
        )


def replay(create: Create) -> Iterator[Comparison]:
    """The picks as they were written into records, cycle after cycle."""
    methods = {kind: {"name": name} for kind, name in (("acquisition", "a"), ("learning", "l"), ("network", "n"))}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(3):
            picks = np.array_split(RNG(seed).permutation(40) + 100, 4)
            record = {"methods": methods, "details": {"cycles": [{"labelled": part.tolist()} for part in picks]}}
            (Path(folder) / f"{seed}.json").write_text(json.dumps(record))
            positions = RNG(9).permutation(np.arange(100, 140))
            for cycle in (1, 3):
                known = np.concatenate(picks[:cycle])
                pool = Pool(np.eye(40), np.full((40, 2), 0.5), np.isin(positions, known) - 1, positions=positions)
                found = positions[create(runs=Path(folder), acquisition="a").select(pool, 7, RNG(0))]
                yield Comparison(f"record {seed}, cycle {cycle}", found, picks[cycle][:7])
