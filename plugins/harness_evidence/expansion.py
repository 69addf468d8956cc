"""Query expansions: each formula by loops over images in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from harness.plugin_api import Comparison, Create, Ranking
from harness_evidence import RNG, Array, unit_float32


def some_data(n: int, d: int = 6, q: int = 3, seed: int = 0) -> list[Array]:
    """A database (n, d) and queries (q, d) around four centres, rows of length 1."""
    rng = RNG(seed)
    centres = rng.normal(size=(4, d))
    return [unit_float32(centres[rng.integers(0, 4, m)] + 0.7 * rng.normal(size=(m, d))) for m in (n, q)]


def searched(queries: Array, database: Array, depth: int | None = None) -> Ranking:
    """The ranking of each query, equal scores by position."""
    scores = queries @ database.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return Ranking(order.astype(np.int64), np.take_along_axis(scores, order, 1))


def by_image(ranking: Ranking, n: int) -> Array:
    """Scores (q, n) by image: near ties may change places."""
    table = np.zeros((len(ranking.indices), n))
    np.put_along_axis(table, np.asarray(ranking.indices), np.asarray(ranking.scores, np.float64), axis=1)
    return table


def loop_expanded(query: Array, database: Array, ranked: Any, k: int, alpha: float) -> Array:
    """The query and its first k images, each weighed by its similarity to the power of alpha."""
    total = query.astype(np.float64)
    for image in ranked[:k]:
        v = database[image].astype(np.float64)
        total = total + (max(v @ query, 0.0) ** alpha if alpha else 1.0) * v
    return np.asarray(total / np.linalg.norm(total))


def loop_augmented(database: Array, k: int, alpha: float) -> Array:
    """Every image expanded by its k neighbours."""
    x = database.astype(np.float64)
    rows = []
    for i, v in enumerate(x):
        near = [j for j in np.argsort(-(x @ v), kind="stable") if j != i][:k]
        total = v + sum((max(v @ x[j], 0.0) ** alpha if alpha else 1.0) * x[j] for j in near)
        rows.append(total / np.linalg.norm(total))
    return np.array(rows)


def loop_decayed(query: Array, database: Array, ranked: Any, k: int) -> Array:
    """The query and its first k images, with weights that fall with the rank."""
    total = query.astype(np.float64)
    for rank, image in enumerate(ranked[:k], start=1):
        total = total + (k + 1 - rank) / (k + 1) * database[image]
    return total


def loop_decayed_database(database: Array, k: int) -> Array:
    """Every image replaced by the mean of itself and its neighbours, with weights that fall with the rank."""
    rows = []
    for i, v in enumerate(database.astype(np.float64)):
        near = [i, *(j for j in np.argsort(-(database @ v), kind="stable") if j != i)][:k] if k else [i]
        total = sum((max(k, 1) - rank) / max(k, 1) * database[j].astype(float) for rank, j in enumerate(near))
        rows.append(total / np.linalg.norm(total))
    return np.array(rows)


def loop_rocchio(query: Array, database: Array, shown: Any, whole: Any, k: int, m: int) -> Array:
    """The query moved towards the mean of its first images and away from that of its last."""
    worst = [i for i in (whole[-m:] if m else []) if i not in set(shown[:k])]
    row = query.astype(np.float64)
    row = row + (0.75 * database[shown[:k]].astype(float).mean(axis=0) if k else 0)
    return np.asarray(row - (0.15 * database[worst].astype(float).mean(axis=0) if len(worst) else 0))


def smo(rows: Array, labels: Array, c: float, turns: int = 20_000) -> Array:
    """The dual of a linear SVM by the pair that violates optimality most: the normal (d,)."""
    kernel, alpha = rows @ rows.T, np.zeros(len(rows))
    for _ in range(turns):
        gradient = labels * (1 - labels * (kernel @ (alpha * labels)))
        up = np.where(labels > 0, alpha < c, alpha > 0)
        down = np.where(labels > 0, alpha > 0, alpha < c)
        i, j = np.argmax(np.where(up, gradient, -np.inf)), np.argmin(np.where(down, gradient, np.inf))
        if gradient[i] - gradient[j] < 1e-9:
            break
        curvature = max(kernel[i, i] + kernel[j, j] - 2 * kernel[i, j], 1e-12)
        room = [c - alpha[i] if labels[i] > 0 else alpha[i], alpha[j] if labels[j] > 0 else c - alpha[j]]
        step = min((gradient[i] - gradient[j]) / curvature, *room)
        alpha[i] += labels[i] * step
        alpha[j] -= labels[j] * step
    return np.asarray((alpha * labels) @ rows)


def loop_superglobal(
    query: Array, database: Array, ranked: Any, top: int, k: int, beta: float
) -> tuple[list[int], Array]:
    """SuperGlobal re-ranking, one image after the other: ids and scores of the top, best first."""
    ids = [int(i) for i in ranked[:top]]
    x = [database[i].astype(np.float64) for i in ids]
    q = query.astype(np.float64)
    refined = []
    for v in x:
        near = sorted(range(len(x)), key=lambda j: (-np.float32(v @ x[j]), j))[: k + 1]  # noqa: B023
        weights = [1.0] + [beta * float(v @ x[j]) for j in near[1:]]
        total = sum(weights)
        mean = sum(w * x[j] for w, j in zip(weights, near, strict=True)) / total if total > 0 else v
        refined.append(mean if v.any() else v)
    first = [float(q @ r) for r in refined]
    order = sorted(range(len(x)), key=lambda i: (-np.float32(first[i]), i))
    common = np.max([refined[i] for i in order[: k + 1]], axis=0)
    final = [(first[i] + float(common @ refined[i])) / 2 for i in range(len(x))]
    order = sorted(order, key=lambda i: -np.float32(final[i]))
    return [ids[i] for i in order], np.array([final[i] for i in order])


Expected = Callable[[Array, Array, Ranking], Array]
"""Queries, database, ranking -> scores (q, n)."""


def compared(
    method: Any, case: str, expected: Expected, tolerance: float = 1e-5, sizes: Sequence[int] = (1, 12, 30)
) -> Iterator[Comparison]:
    """Scores by image of small databases of these sizes."""
    for seed, n in enumerate(sizes):
        database, queries = some_data(n, seed=seed)
        ranking = searched(queries, database)
        found = by_image(method.fit(database).expand(queries, ranking), n)
        yield Comparison(f"{case}, {n} images", found, expected(queries, database, ranking), tolerance)


def _by_vectors(vector: Callable[[Array, Array, Any], Array]) -> Expected:
    """Similarities of all images to the vector that a query becomes."""

    def expected(queries: Array, database: Array, ranking: Ranking) -> Array:
        rows = [vector(query, database, ids) for query, ids in zip(queries, ranking.indices, strict=True)]
        return np.array([database.astype(np.float64) @ (row / (np.linalg.norm(row) or 1)) for row in rows])

    return expected


def _of_database(changed: Callable[[Array], Array]) -> Expected:
    """Similarities of the queries to what the database becomes."""
    return lambda queries, database, _: np.asarray(queries @ changed(database).T)


def aqe(create: Create) -> Iterator[Comparison]:
    """Means of the query and its first images, one image at a time."""
    for k in (1, 5):
        slow = _by_vectors(partial(loop_expanded, k=k, alpha=0))
        yield from compared(create(k=k), f"k = {k}", slow)


def alphaqe(create: Create) -> Iterator[Comparison]:
    """Weighed means of the query and its first images, one image at a time."""
    for k, alpha in ((3, 3.0), (10, 0.5)):
        slow = _by_vectors(partial(loop_expanded, k=k, alpha=alpha))
        yield from compared(create(k=k, alpha=alpha), f"k = {k}, alpha = {alpha:g}", slow)


def dba(create: Create) -> Iterator[Comparison]:
    """Every image replaced by a weighed mean of its neighbours, one at a time."""
    for k, alpha in ((3, 3.0), (10, 0.5)):
        slow = _of_database(partial(loop_augmented, k=k, alpha=alpha))
        yield from compared(create(k=k, alpha=alpha), f"k = {k}, alpha = {alpha:g}", slow)


def aqe_decay(create: Create) -> Iterator[Comparison]:
    """Means with weights that fall with the rank, one image at a time."""
    for k in (1, 4):
        yield from compared(create(k=k), f"k = {k}", _by_vectors(partial(loop_decayed, k=k)))


def dba_decay(create: Create) -> Iterator[Comparison]:
    """Every image replaced by a mean with weights that fall with the rank, one at a time."""
    for k in (1, 5):
        slow = _of_database(partial(loop_decayed_database, k=k))
        yield from compared(create(k=k), f"k = {k}", slow)


def _rocchio_of_all(query: Array, database: Array, ranked: Any, k: int, m: int) -> Array:
    return loop_rocchio(query, database, ranked, ranked, k, m)


def rocchio(create: Create) -> Iterator[Comparison]:
    """Towards the mean of the first images and away from that of the last, written out."""
    for k, m in ((4, 4), (1, 60)):
        slow = _by_vectors(partial(_rocchio_of_all, k=k, m=m))
        yield from compared(create(k=k, m=m), f"k = {k}, m = {m}", slow)


def dqe(create: Create) -> Iterator[Comparison]:
    """The normal of a linear SVM by sequential minimal optimisation, in float64."""
    for seed in range(3):
        rng = RNG(seed)
        k, m, n = (int(rng.integers(low, high)) for low, high in ((0, 5), (1, 5), (10, 25)))
        database, queries = some_data(n, d=12, q=1, seed=seed)
        ranking = searched(queries, database)
        ids = ranking.indices[0]
        rows = np.vstack([queries[0], database[ids[:k]], database[ids[-m:]]]).astype(np.float64)
        normal = smo(rows, np.r_[np.ones(k + 1), -np.ones(m)], 1e3)
        normal /= np.linalg.norm(normal)
        for preset, vector in (
            ("released-code", normal),
            ("recommended", unit_float32(normal + queries[:1] / 1000)[0]),
        ):
            expected = database.astype(np.float64) @ vector
            found = by_image(create(k=k, m=m, preset=preset).fit(database).expand(queries, ranking), n)
            yield Comparison(f"{preset}, k = {k}, m = {m}", found, expected[None], 1e-4)


def superglobal(create: Create) -> Iterator[Comparison]:
    """The published steps, one image at a time; scores up to the constant that keeps them in order."""
    for seed, (n, top, k, beta) in enumerate(((30, 5, 1, 0.15), (30, 400, 3, 2.0), (39, 400, 60, 0.15))):
        database, queries = some_data(n, seed=seed)
        ranking = searched(queries, database)
        found = by_image(create(top=top, k=k, beta=beta).fit(database).expand(queries, ranking), n)
        differences, expected = [], []
        for row, query in enumerate(queries):
            ids, scores = loop_superglobal(query, database, ranking.indices[row], top, k, beta)
            differences.append(found[row, ids] - found[row, ids[-1]])
            expected.append(scores - scores[-1])
        yield Comparison(f"top = {top}, k = {k}, beta = {beta:g}", differences, expected, 1e-4)
