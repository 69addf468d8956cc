"""Small random pools on which acquisition functions are compared with slow references."""

from __future__ import annotations

import numpy as np

from harness.active import Pool
from harness.plugin_api import LinearHead
from harness_evidence import Array


def small_pool(seed: int, kind: str = "") -> tuple[Pool, int]:
    """A pool of up to 30 examples, and a budget; with ``kind``: duplicates, certain or equal predictions, no label."""
    rng = np.random.default_rng(seed)
    n, d, c = int(rng.integers(8, 31)), int(rng.integers(2, 7)), int(rng.integers(2, 6))
    features = (rng.normal(size=(n, d)) + 2 * rng.normal(size=(4, d))[rng.integers(0, 4, n)]).astype(np.float32)
    probabilities = rng.dirichlet(np.full(c, 0.7), n).astype(np.float32)
    labels = np.where(rng.random(n) < 0.25, rng.integers(0, c, n), -1)
    labels[0], labels[1] = -1, 0
    if kind == "duplicates":
        rows = rng.integers(0, 5, n)
        features, probabilities = features[rows], probabilities[rows]
    elif kind == "certain":
        probabilities = np.eye(c, dtype=np.float32)[rng.integers(0, c, n)]
    elif kind == "equal":
        probabilities[:] = 1 / c
    elif kind == "zeros":
        features[::3] = 0
    elif kind == "no label":
        labels[:] = -1
    noise = rng.dirichlet(np.ones(c), (40, n)).astype(np.float32)
    head = LinearHead(rng.normal(size=(c, d)).astype(np.float32), rng.normal(size=c).astype(np.float32))
    pool = Pool(
        features,
        probabilities,
        labels,
        dropout=lambda t: np.asarray((probabilities + noise[:t]) / 2, np.float32),
        head=lambda: head,
    )
    return pool, int(rng.integers(1, len(pool.unlabelled) + 1))


def clustered_pool(seed: int, n: int = 200, c: int = 5, d: int = 7) -> Pool:
    """A pool of clusters, one label in ten."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, d)) + 3 * rng.normal(size=(6, d))[rng.integers(0, 6, n)]
    labels = np.where(rng.random(n) < 0.1, 0, -1)
    return Pool(features, rng.dirichlet(np.full(c, 0.5), n), labels)


def sorted_pool(seed: int, n: int = 60, d: int = 4) -> Pool:
    """A pool of clusters with a class each, a model that mostly knows them, and some labels."""
    rng = np.random.default_rng(seed)
    c = int(rng.integers(1, 5))
    truth = rng.integers(0, c, n)
    features = rng.normal(size=(n, d)) * rng.choice([0.3, 1.0]) + 2 * rng.normal(size=(c, d))[truth]
    probabilities = 2 * rng.dirichlet(np.full(c, 0.7), n) + np.eye(c)[truth] * rng.choice([1.0, 4.0])
    labels = np.where(rng.random(n) < rng.choice([0.05, 0.3]), truth, -1)
    labels[0] = -1
    return Pool(features, probabilities / probabilities.sum(axis=1, keepdims=True), labels)


def labelled_too(pool: Pool, picks: Array) -> Pool:
    """The pool a cycle later: the picks have a label, that of their prediction."""
    labels = pool.labels.copy()
    labels[picks] = pool.probabilities[picks].argmax(axis=1)
    return Pool(pool.features, np.roll(pool.probabilities, 1, axis=0), labels)
