"""Acquisition functions that go by features: all distances, again and again, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.active import Pool
from harness.plugin_api import Comparison, Create
from harness.search import k_means, unit_rows
from harness_evidence import RNG, Array
from harness_evidence.pools import clustered_pool, labelled_too, small_pool, sorted_pool

KERNELS: Mapping[str, Callable[[Array, float], Array]] = {
    "rbf": lambda r, h: np.exp(-((r / h) ** 2)),
    "student": lambda r, h: (1 + (r / h) ** 2 / 0.5) ** -0.75,
    "laplace": lambda r, h: np.exp(-r / h),
}


def slow_coreset(features: Array, labels: Array, budget: int) -> list[int]:
    """The farthest from all centres, every distance every time; ties to the lowest position."""
    x = np.asarray(features, dtype=np.float32).astype(np.float64)
    between = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    centres = [int(i) for i in np.flatnonzero(labels >= 0)]
    free = [int(i) for i in np.flatnonzero(labels < 0)]
    picks = []
    for _ in range(budget):
        if not centres:
            mean = np.asarray(features, dtype=np.float32).mean(axis=0, dtype=np.float64)
            distances = np.array([-((x[i] - mean) ** 2).sum() for i in free])
        else:
            distances = between[np.ix_(free, centres)].min(axis=1)
        pick = free.pop(int(np.argmax(distances)))
        picks.append(pick)
        centres.append(pick)
    return picks


def slow_nearest_unused(points: Array, centroids: Array) -> list[int]:
    """The nearest point of each centroid that no centroid before took."""
    free, result = list(range(len(points))), []
    for centroid in centroids.astype(float):
        pick = min(free, key=lambda i: (((points[i].astype(float) - centroid) ** 2).sum(), i))  # noqa: B023
        free.remove(pick)
        result.append(pick)
    return result


def slow_typicality(features: Array, neighbours: int, power: int = 1) -> list[float]:
    """The inverse of the mean distance, to this power, to the nearest neighbours, from every distance."""
    x = np.asarray(features, dtype=np.float32).astype(float)
    if len(x) == 1:
        return [1.0]
    k = min(neighbours, max(1, len(x) // 2))
    result = []
    for i in range(len(x)):
        others = sorted(float(np.sqrt(((x[i] - x[j]) ** 2).sum())) for j in range(len(x)) if j != i)
        result.append(1 / (sum(r**power for r in others[:k]) / k + 1e-5))
    return result


def slow_typiclust(
    features: Array, cluster: Array, labels: Array, budget: int, small: int = 5, neighbours: int = 20, power: int = 1
) -> list[int]:
    """Clusters visited one by one, the most typical example each time."""
    groups = sorted({int(g) for g in cluster})
    order = sorted(groups, key=lambda g: ((labels[cluster == g] >= 0).sum(), -(cluster == g).sum(), g))
    free = {g: [i for i in range(len(labels)) if cluster[i] == g and labels[i] < 0] for g in groups}
    picks = []
    for wanted in (True, False):
        turns = [g for g in order if ((cluster == g).sum() > small) == wanted]
        while any(free[g] for g in turns):
            for g in turns:
                if free[g]:
                    scores = slow_typicality(features[free[g]], neighbours, power)
                    picks.append(free[g].pop(int(np.argmax(scores))))
    return picks[:budget]


def unit_distances(pool: Pool) -> Array:
    """Of the float32 rows of length 1, in float64: zeros are equally far from all but for rounding."""
    x = unit_rows(pool.features).astype(float)
    return np.asarray(np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2)))


def slow_probcover(pool: Pool, delta: float, budget: int) -> list[int]:
    """Every ball counted anew before every pick; then the farthest, farthest first."""
    between = unit_distances(pool)
    near = (between < delta) | np.eye(len(between), dtype=bool)
    centres, free, picks = pool.labelled.tolist(), pool.unlabelled.tolist(), list[int]()
    while len(picks) < budget:
        covered = near[centres].any(axis=0) if centres else np.zeros(len(near), dtype=bool)
        if covered.all():
            scores = [between[i, centres].min() ** 2 for i in free]
        else:
            scores = [(near[i] & ~covered).sum() for i in free]
        pick = free.pop(int(np.argmax(scores)))
        picks.append(pick)
        centres.append(pick)
    return picks


def slow_herding(pool: Pool, budget: int, kernel: str = "rbf", h: float = 1.0, u: Array | None = None) -> list[int]:
    """Every gain of every candidate, again and again."""
    z = pool.features.astype(np.float64)
    lengths = np.linalg.norm(z, axis=1, keepdims=True)
    z = z / np.where(lengths > 0, lengths, 1)
    k = KERNELS[kernel](np.sqrt(((z[:, None] - z[None]) ** 2).sum(axis=2)), h)
    u = np.ones(len(z)) if u is None else u
    m = k[pool.labelled].max(axis=0) if len(pool.labelled) else np.zeros(len(z))
    free, picks = pool.unlabelled.tolist(), []
    for _ in range(budget):
        gains = [float((u * np.maximum(k[i] - m, 0)).sum()) for i in free]
        best = max(gains)
        place = next(p for p, gain in enumerate(gains) if gain >= best - max(1e-9 * best, 1e-12 * u.sum()))
        picks.append(free.pop(place))
        m = np.maximum(m, k[picks[-1]])
    return picks


def margin_weights(pool: Pool) -> Array:
    """How uncertain each example is by its margin; labelled ones are not."""
    p = np.sort(pool.probabilities.astype(np.float64), axis=1)
    u = 1 - p[:, -1] + p[:, -2]
    u[pool.labelled] = 0
    return np.asarray(u) if len(pool.labelled) else np.ones(len(u))


def slow_radius(pool: Pool, between: Array, label: int, least: float, longest: float, resolution: float) -> float:
    """Bisection for the largest ball around a label in which enough examples are predicted as it."""
    low, high = 0.0, longest
    while high - low > resolution:
        middle = (low + high) / 2
        ball = [j for j in range(len(between)) if between[label, j] < middle]
        alike = [j for j in ball if int(pool.probabilities[j].argmax()) == pool.labels[label]]
        low, high = (middle, high) if len(alike) / len(ball) >= least else (low, middle)
    return round((low + high) / 2, 2)


def slow_dcom(
    pool: Pool,
    budget: int,
    before: Mapping[int, float],
    longest: float = 1.1,
    initial: float = 0.6,
    k: float = 50,
    a: float = 0.8,
    resolution: float = 0.05,
) -> tuple[list[int], dict[int, float]]:
    """Picks, and the radius of each label; ``before`` are those of the cycle before."""
    between = unit_distances(pool)
    n, known = len(between), pool.labelled.tolist()

    def covered(radii: Mapping[int, float], bound: float) -> set[int]:
        return {j for j in range(n) if any(between[i, j] < min(radii[i], bound) for i in known)}

    start = sum(before.values()) / len(before) if before else initial
    radii = {i: before.get(i, start) for i in known}
    least = 0.2 * len(covered(radii, longest)) / n + 0.4
    radii = {i: before[i] if i in before else slow_radius(pool, between, i, least, longest, resolution) for i in known}
    mean = sum(radii.values()) / len(radii) if radii else initial
    share = len(covered(radii, longest)) / n
    weight = round(float((1 + np.exp(-k * (1 - a))) / (1 + np.exp(-k * (share - a)))), 3)
    gone, picks = covered(radii, mean), list[int]()
    p = np.sort(pool.probabilities.astype(np.float64), axis=1)
    margins = stretched(1 - (p[:, -1] - p[:, -2]) if p.shape[1] > 1 else np.zeros(n))
    near = (between < mean) | np.eye(n, dtype=bool)
    while len(picks) < budget:
        taken = known + picks
        degrees = np.array([0 if i in taken else sum(near[i, j] and j not in gone for j in range(n)) for i in range(n)])
        margins[taken] = 0
        scores = weight * stretched(margins) + (1 - weight) * stretched(degrees)
        picks.append(max((i for i in range(n) if i not in taken), key=lambda i: (scores[i], -i)))  # noqa: B023
        gone |= {j for j in range(n) if near[picks[-1], j]}
    return picks, radii


def stretched(values: Array) -> Array:
    """To [0, 1]; all 0 where they are equal."""
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low) if high > low else np.zeros(len(values)))


def slow_centres(
    x: Array, start: Array, fixed: Array, steps: int, rate: float, temperature: float = 0.07, balance: float = 1.0
) -> Array:
    """ActiveFT's centres by torch's own gradients and optimiser, in float64."""
    import torch

    rows, others = torch.from_numpy(x), torch.from_numpy(fixed)
    centres = torch.from_numpy(start.copy()).requires_grad_()
    optimiser = torch.optim.Adam([centres], lr=rate)
    for _ in range(steps):
        unit = torch.cat([torch.nn.functional.normalize(centres), others])
        p, k = (rows @ unit.T / temperature).exp().max(dim=1)
        crowd = (unit.detach() @ unit.T / temperature).exp().sum(dim=0)
        loss = -(p.log() - (p + balance * crowd[k]).log()).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return np.asarray(centres.detach().numpy())


def coreset(create: Create) -> Iterator[Comparison]:
    """The farthest example, from all distances every time."""
    for seed in range(8):
        pool, budget = small_pool(seed, ("", "duplicates", "no label")[seed % 3])
        picks = create().select(pool, budget, RNG(0))
        yield Comparison(f"pool {seed}", picks, slow_coreset(pool.features, pool.labels, budget))


def kmeans(create: Create) -> Iterator[Comparison]:
    """The examples nearest to the same centroids, found one by one; k-means itself is taken as it is."""
    for seed in range(6):
        pool, budget = small_pool(seed)
        points = pool.features[pool.unlabelled]
        points = np.asarray(points - np.median(points[:: max(1, len(points) // 101)], axis=0), np.float32)
        if budget < len(points):
            centroids, _ = k_means(points, budget, int(RNG(seed).integers(2**31)), create().iterations)
            expected = pool.unlabelled[slow_nearest_unused(points, centroids)]
            yield Comparison(f"pool {seed}", create().select(pool, budget, RNG(seed)), expected)


def typiclust(create: Create) -> Iterator[Comparison]:
    """Typicality from every distance, clusters visited one by one; k-means itself is taken as it is."""
    for seed, (clusters, budget) in enumerate(((500, 12), (7, 40), (40, 60))):
        pool = clustered_pool(seed, n=150)
        k = min(len(pool.labelled) + budget, clusters)
        _, cluster = k_means(pool.features, k, int(RNG(seed).integers(2**31)), 20)
        picks = create(clusters=clusters).select(pool, budget, RNG(seed))
        yield Comparison(f"{k} clusters", picks, slow_typiclust(pool.features, cluster, pool.labels, budget))


def probcover(create: Create) -> Iterator[Comparison]:
    """Every ball counted anew before every pick."""
    for seed, delta in enumerate((1e-3, 0.4, 0.9, 2.0)):
        pool = clustered_pool(seed, n=100, d=3)
        picks = create(delta=delta).select(pool, 30, RNG(0))
        yield Comparison(f"delta = {delta:g}", picks, slow_probcover(pool, delta, 30))


def dcom(create: Create) -> Iterator[Comparison]:
    """Balls, densities and bisections example by example, over two cycles."""
    for seed in range(6):
        pool = sorted_pool(seed)
        method: Any = create()
        picks, memory = method.select_remembering(pool, 4, RNG(0), None)
        expected, radii = slow_dcom(pool, 4, {})
        yield Comparison(f"pool {seed}", picks, expected)
        yield Comparison(f"pool {seed}, radii", memory["radii"], list(radii.values()), 1e-12)
        later = labelled_too(pool, picks)
        again, later_memory = method.select_remembering(later, 4, RNG(0), memory)
        expected, radii = slow_dcom(later, 4, radii)
        yield Comparison(f"pool {seed}, second cycle", again, expected)
        yield Comparison(f"pool {seed}, radii then", later_memory["radii"], list(radii.values()), 1e-12)


def max_herding(create: Create) -> Iterator[Comparison]:
    """Every gain of every candidate, again and again."""
    for seed in range(12):
        pool, budget = small_pool(seed)
        kernel, h = ("rbf", "student", "laplace")[seed % 3], (1.0, 0.4)[seed % 2]
        picks = create(kernel=kernel, bandwidth=h).select(pool, budget, RNG(0))
        yield Comparison(f"pool {seed}, {kernel}", picks, slow_herding(pool, budget, kernel, h))


def uncertainty_herding(create: Create) -> Iterator[Comparison]:
    """Every weighed gain of every candidate, again and again."""
    for seed in range(12):
        pool, budget = small_pool(seed)
        picks = create().select(pool, budget, RNG(0))
        yield Comparison(f"pool {seed}", picks, slow_herding(pool, budget, u=margin_weights(pool)))


def activeft(create: Create) -> Iterator[Comparison]:
    """Automatic gradients in float64."""
    for seed in range(4):
        pool, budget = small_pool(seed)
        x = unit_rows(pool.features).astype(np.float64)
        start = x[RNG(seed).choice(pool.unlabelled, budget, replace=False)]
        method: Any = create(steps=8, learning_rate=0.05)
        found = method.descended(x.astype(np.float32), start, x[pool.labelled])
        yield Comparison(f"pool {seed}, centres", found, slow_centres(x, start, x[pool.labelled], 8, 0.05), 1e-4)
