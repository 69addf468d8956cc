"""Query expansions along a graph: pairs by loops, graphs as dense matrices, in float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.plugin_api import Comparison, Create, Ranking
from harness_evidence import RNG, Array, unit_float32
from harness_evidence.expansion import Expected, compared, searched, some_data


def normalised(w: Array) -> Array:
    """Symmetric normalisation by degrees; nodes without edges stay without."""
    degree = w.sum(1)
    scale = np.array([1 / np.sqrt(x) if x > 0 else 0.0 for x in degree])
    return np.asarray(scale[:, None] * w * scale)


def solved(s: Array, y: Array, alpha: float = 0.99) -> Array:
    """(I - alpha S)^-1 y by a dense solve."""
    return np.asarray(np.linalg.solve(np.eye(len(s)) - alpha * s, y))


def dense_seed(query: Array, database: Array, ranked: Any, kq: int = 10, gamma: float = 3.0) -> Array:
    """Similarities of the first kq images to the power of gamma, zero elsewhere."""
    y = np.zeros(len(database))
    for image in ranked[:kq]:
        y[image] = max(float(database[image].astype(np.float64) @ query.astype(np.float64)), 0.0) ** gamma
    return y


def dense_affinity(x: Array, k: int, gamma: float = 3.0) -> Array:
    """Reciprocal neighbours, one pair after the other."""
    v = np.asarray(x, np.float64)
    s = v @ v.T
    n = len(v)
    near = [{int(j) for j in [j for j in np.argsort(-s[i], kind="stable") if j != i][:k]} for i in range(n)]
    w = np.zeros((n, n))
    for i in range(n):
        for j in near[i]:
            if i in near[j]:
                w[i, j] = max(s[i, j], 0.0) ** gamma
    return w


def dense_regional(
    regions: Array,
    images: Array,
    n_images: int,
    queries: Sequence[Array],
    k: int,
    kq: int,
    gamma: float = 3,
    alpha: float = 0.99,
) -> Array:
    """Regional diffusion by loops and a dense solve: scores (q, n)."""
    from harness.graph import affinity

    s = normalised(affinity(regions, k, gamma).toarray().astype(np.float64))
    answers = []
    for query in queries:
        y = np.zeros(len(regions))
        for region in query:
            similarities = regions.astype(np.float64) @ region
            for j in np.argsort(-similarities, kind="stable")[:kq]:
                y[j] += similarities[j]
        keep = np.argsort(-y, kind="stable")[:kq]
        seed = np.zeros_like(y)
        seed[keep] = np.maximum(y[keep], 0) ** gamma
        f = solved(s, seed, alpha)
        scores = np.zeros(n_images)
        for image in range(n_images):
            own = np.flatnonzero(images == image)
            v = regions[own].astype(np.float64).T
            if len(own):
                scores[image] = f[own] @ np.linalg.inv(v.T @ v + np.eye(len(own))) @ np.ones(len(own))
        answers.append(scores)
    return np.array(answers)


def dense_k_reciprocal(query: Array, database: Array, k1: int, k2: int, weight: float) -> Array:
    """k-reciprocal encoding with sets and dense matrices, the query as node 0: distances (n,)."""
    nodes = np.vstack([query[None], database]).astype(np.float64)
    n, similarities = len(nodes), nodes @ nodes.T
    d = np.maximum(2 - 2 * similarities, 0)
    np.fill_diagonal(d, 0)
    d = np.array([row / (row.max() or 1) for row in d])
    order = [
        [i, *sorted((j for j in range(n) if j != i), key=lambda j: (-np.float32(similarities[i, j]), j))]  # noqa: B023
        for i in range(n)
    ]

    def reciprocal(i: int, k: int) -> set[int]:
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    v = np.zeros((n, n))
    for i in range(n):
        near = reciprocal(i, k1)
        wide = set(near)
        for j in near:
            others = reciprocal(j, round(k1 / 2))
            if 3 * len(others & near) > 2 * len(others):
                wide |= others
        for j in wide:
            v[i, j] = np.exp(-d[i, j])
        v[i] /= v[i].sum()
    if k2 != 1:
        v = np.array([v[order[i][:k2]].mean(axis=0) for i in range(n)])
    shared = np.minimum(v[0], v).sum(axis=1)
    return np.asarray(((1 - weight) * (1 - shared / (2 - shared)) + weight * d[0])[1:])


def _diffused(k: int, kq: int) -> Expected:
    def expected(queries: Array, database: Array, ranking: Ranking) -> Array:
        pairs = zip(queries, ranking.indices, strict=True)
        y = np.array([dense_seed(query, database, row, kq) for query, row in pairs])
        return solved(normalised(dense_affinity(database, k)), y.T).T

    return expected


def diffusion(create: Create) -> Iterator[Comparison]:
    """Loops over pairs for the graph and a dense solve."""
    for k, kq in ((5, 3), (50, 10)):
        method = create(preset="thesis", k=k, kq=kq, max_iter=0, tol=1e-12)
        yield from compared(method, f"k = {k}, kq = {kq}", _diffused(k, kq), 1e-4, sizes=(12, 60))
        parts = create(preset="thesis", k=k, kq=kq, max_iter=0, tol=1e-12, truncation=60)
        yield from compared(parts, f"k = {k}, kq = {kq}, a truncation to all", _diffused(k, kq), 1e-4, sizes=(60,))


def regional_diffusion(create: Create) -> Iterator[Comparison]:
    """Loops over regions and a dense solve."""
    for seed, (k, kq) in enumerate(((3, 2), (20, 10))):
        rng = RNG(seed)
        images = rng.permutation(np.repeat(np.arange(1, 20), rng.integers(1, 6, 19)))
        regions = unit_float32(rng.normal(size=(len(images), 6)))
        queries = [unit_float32(rng.normal(size=(m, 6))) for m in (1, 3, 5)]
        fitted = create(preset="thesis", k=k, kq=kq, max_iter=0, tol=1e-12).fit_regions(
            [regions[images == image] for image in range(20)]
        )
        expected = dense_regional(regions, images, 20, queries, k, kq)
        yield Comparison(f"k = {k}, kq = {kq}", fitted.scores(queries), expected, 1e-5)


def loop_egt(
    query: Array, database: Array, ranked: Any, k: int, threshold: float, top: int, depth: int | None = None
) -> list[int]:
    """Explore-exploit traversal, all known edges looked through for each image; then what is not reached."""
    s, n = np.asarray(database.astype(np.float64) @ database.T.astype(np.float64), np.float32).tolist(), len(database)
    order = [sorted((j for j in range(n) if j != i), key=lambda j: (-s[i][j], j)) for i in range(n)]  # noqa: B023
    near = [set(row[:k]) for row in order]
    linked = [{j for j in range(n) if j in near[i] or i in near[j]} - {i} for i in range(n)]
    shown = [int(image) for image in ranked[:depth]]
    shown += [j for j in range(n) if j not in shown]
    place = {image: rank for rank, image in enumerate(map(int, ranked))}  # also of what a cut leaves out
    of_query = np.asarray(database.astype(np.float64) @ query.astype(np.float64), np.float32).tolist()
    known = {int(j): of_query[j] for j in ranked[:depth][:k]}
    reached: list[int] = []
    while known and len(reached) < top:
        latest: list[int] = []
        while known and len(reached) < top and (not latest or max(known.values()) > threshold):
            latest.append(max(known, key=lambda j: (known[j], -place[j])))  # noqa: B023
            reached.append(latest[-1])
            del known[latest[-1]]
        for i in latest:
            for j in linked[i].difference(reached):
                known[j] = max(known.get(j, -np.inf), s[i][j])
    return reached + [j for j in shown if j not in reached]


def egt(create: Create) -> Iterator[Comparison]:
    """All edges looked through for each image that is reached: orders."""
    for seed, (n, k, threshold, top) in enumerate(((30, 4, 0.42, 1000), (40, 2, 0.9, 1000), (40, 50, 0.2, 12))):
        database, queries = some_data(n, seed=seed)
        ranking = searched(queries, database)
        found = create(k=k, threshold=threshold, top=top).fit(database).expand(queries, ranking).indices
        orders = zip(queries, ranking.indices, strict=True)
        expected = [loop_egt(query, database, ranked, k, threshold, top) for query, ranked in orders]
        yield Comparison(f"k = {k}, threshold = {threshold:g}, top = {top}", found, np.array(expected))


def k_reciprocal(create: Create) -> Iterator[Comparison]:
    """Sets of reciprocal neighbours and dense matrices."""
    for k1, k2, weight in ((5, 1, 0.3), (20, 6, 0.3), (7, 3, 0.0)):

        def slow(queries: Array, x: Array, _: Ranking, k1: int = k1, k2: int = k2, weight: float = weight) -> Array:
            return 1 - np.array([dense_k_reciprocal(query, x, k1, k2, weight) for query in queries])

        yield from compared(create(k1=k1, k2=k2, weight=weight), f"k1 = {k1}, k2 = {k2}", slow)
