"""Acquisition functions that go by gradients, Fisher matrices or a classifier of their own, written out in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.active import Pool
from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array
from harness_evidence.pools import clustered_pool, small_pool

Generator = np.random.Generator


def badge_gradients(pool: Pool) -> Array:
    """The matrix (n, c d) of gradients that the method never builds."""
    p, z = pool.probabilities.astype(np.float64), pool.features.astype(np.float64)
    hot = np.eye(p.shape[1])[p.argmax(axis=1)]
    gradients = np.einsum("ic,id->icd", p - hot, z).reshape(len(p), -1)
    return np.asarray(gradients[pool.unlabelled])


def slow_badge(pool: Pool, budget: int, rng: Generator, pending: int = 64) -> Array:
    """All distances to all picks, every time; the same draws against distances of at most ``pending`` draws ago."""
    g = badge_gradients(pool)
    picks = [int(np.argmax((g**2).sum(axis=1)))]

    def distances() -> Array:
        return np.asarray(((g[:, None] - g[picks][None]) ** 2).sum(axis=2).min(axis=1))

    old, since = distances(), 0
    while len(picks) < budget:
        place, chance = rng.random(2)
        row = int(np.searchsorted(np.cumsum(old) / old.sum(), place, side="right"))
        if chance * old[row] < distances()[row]:
            picks.append(row)
        since += 1
        if since == pending:
            old, since = distances(), 0
    return np.asarray(pool.unlabelled[picks])


def float64_predictions(pool: Pool) -> Array:
    """Predictions whose rows sum to 1 in float64."""
    p = pool.probabilities.astype(np.float64)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def fisher_roots(z: Array, p: Array) -> Array:
    """V (n, c, cd): the information of example i is V_i^T V_i."""
    c = p.shape[1]
    rows = [[np.kron(np.sqrt(q[k]) * (np.eye(c)[k] - q), x) for k in range(c)] for x, q in zip(z, p, strict=True)]
    return np.array(rows)


def slow_bait(pool: Pool, budget: int, regularisation: float) -> list[int]:
    """BAIT with all matrices written down."""
    v = fisher_roots(pool.features.astype(np.float64), float64_predictions(pool))
    (_, c, size), known = v.shape, pool.labelled
    fisher = np.asarray(sum(one.T @ one for one in v)) / len(v)
    total = len(known) + budget
    of_labels = sum((v[i].T @ v[i] for i in known), np.zeros((size, size))) / total
    inverse, w = np.linalg.inv(regularisation * np.eye(size) + of_labels), v * np.sqrt(budget / total)

    def score(i: int, sign: int) -> tuple[float, Array]:
        middle = np.linalg.inv(sign * np.eye(c) + w[i] @ inverse @ w[i].T)
        return float(np.trace(w[i] @ inverse @ fisher @ inverse @ w[i].T @ middle)), middle

    picked: list[int] = []
    free = pool.unlabelled.tolist()
    for _ in range(min(2 * budget, len(free))):
        scores = [score(i, 1)[0] for i in free]
        place = next(p for p, s in enumerate(scores) if s >= max(scores) - 1e-9 * abs(max(scores)))
        picked.append(free.pop(place))
        inverse = inverse - inverse @ w[picked[-1]].T @ score(picked[-1], 1)[1] @ w[picked[-1]] @ inverse
    while len(picked) > budget:
        losses = {i: -score(i, -1)[0] for i in picked}
        least = min(losses.values())
        gone = min(i for i, loss in losses.items() if loss <= least + 1e-9 * abs(least))
        inverse = inverse - inverse @ w[gone].T @ score(gone, -1)[1] @ w[gone] @ inverse
        picked.remove(gone)
    return picked


def weights_by_descent(x: Array, y: Array, c: float) -> Array:
    """Logistic regression, both sides weighing the same, by a solver that is told the loss and nothing else."""
    from scipy.optimize import minimize

    share = np.where(y, len(y) / (2 * y.sum()), len(y) / (2 * (~y).sum()))

    def loss(w: Array) -> float:
        margins = (x @ w[1:] + w[0]) * np.where(y, 1, -1)
        return float(0.5 * (w[1:] ** 2).sum() + c * (share * np.logaddexp(0, -margins)).sum())

    options = {"gtol": 1e-7, "maxiter": 5000}
    return np.asarray(minimize(loss, np.zeros(x.shape[1] + 1), method="BFGS", options=options).x)


def slow_dal(pool: Pool, budget: int, rounds: int, ratio: int, c: float, rng: Generator) -> list[int]:
    """Rounds of a classifier that tells labelled from unlabelled examples, by a plain solver."""
    x = pool.features.astype(float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    labelled, free = pool.labelled.tolist(), pool.unlabelled.tolist()
    sizes = [len(part) for part in np.array_split(range(budget), min(rounds, budget))]
    for size in sizes:
        sample = rng.choice(free, min(len(free), ratio * len(labelled)), replace=False).tolist()
        rows = labelled + sample
        w = weights_by_descent(x[rows], np.arange(len(rows)) >= len(labelled), c)
        picks = sorted(free, key=lambda i: (-(x[i] @ w[1:]), i))[:size]  # noqa: B023
        labelled += picks
        free = [i for i in free if i not in picks]
    return [int(i) for i in labelled[len(pool.labelled) :]]


def unevenly_labelled(seed: int, n: int = 150, d: int = 4, labelled: int = 12) -> Pool:
    """A pool whose labels lie on one side."""
    rng = RNG(seed)
    features = rng.normal(size=(n, d)) * [1, 5, 0.2, 1] + 3
    labels = np.full(n, -1)
    labels[np.argsort(features[:, 0] + rng.normal(size=n))[:labelled]] = 1
    return Pool(features, np.full((n, 2), 0.5), labels)


def badge(create: Create) -> Iterator[Comparison]:
    """The matrix of all gradients and all distances, the same draws."""
    for seed in range(3):
        pool = clustered_pool(seed)
        yield Comparison(f"pool {seed}", create().select(pool, 40, RNG(seed)), slow_badge(pool, 40, RNG(seed)))


def bait(create: Create) -> Iterator[Comparison]:
    """Whole Fisher matrices and their inverses."""
    for seed in range(8):
        pool, budget = small_pool(seed)
        budget, weight = min(budget, 3), (1.0, 0.01)[seed % 2]
        picks = create(regularisation=weight).select(pool, budget, RNG(0))
        yield Comparison(f"pool {seed}", picks, slow_bait(pool, budget, weight))


def dal(create: Create) -> Iterator[Comparison]:
    """A solver that is told the loss and nothing else."""
    for seed, (rounds, ratio, c) in enumerate(((1, 10, 1.0), (4, 3, 1.0), (10, 10, 0.1))):
        pool = unevenly_labelled(seed)
        picks = create(rounds=rounds, ratio=ratio, c=c).select(pool, 15, RNG(seed))
        yield Comparison(f"{rounds} rounds", picks, slow_dal(pool, 15, rounds, ratio, c, RNG(seed)))
