"""Acquisition functions beside the usual loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from comparisons import Comparison, agree, clustered, compared


def pool_of(n: int, d: int, labelled: int, classes: int = 10) -> Any:
    """A pool of overlapping groups with confident and doubtful predictions."""
    from harness.active import Pool

    x, rng = clustered(n, d, groups=50, noise=1.5), np.random.default_rng(1)
    logits = 2 * rng.normal(size=(n, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.full(n, -1)
    labels[rng.choice(n, labelled, replace=False)] = np.arange(labelled) % classes
    return Pool(x, probabilities, labels)


@compared("coreset", "50,000 x 128, 1,000 labels, budget 300", "numpy, a product a pick", "picks", least=3)
def coreset() -> Comparison:
    """Greedy k-center against the usual loop."""
    from harness_acquisition.coreset import CoreSet

    pool, budget = pool_of(50_000, 128, 1000), 300
    x, labelled = pool.features, np.flatnonzero(pool.labels >= 0)

    def plain() -> Any:
        norms = np.einsum("ij,ij->i", x, x)
        nearest = np.full(len(x), np.inf, np.float32)
        for start in range(0, len(labelled), 100):
            centres = labelled[start : start + 100]
            nearest = np.minimum(nearest, (norms[:, None] + norms[centres] - 2 * x @ x[centres].T).min(axis=1))
        nearest[labelled] = -1
        picks: list[int] = []
        for _ in range(budget):
            pick = int(np.argmax(nearest))
            picks.append(pick)
            nearest = np.minimum(nearest, np.maximum(norms + norms[pick] - 2 * (x @ x[pick]), 0))
            nearest[labelled] = nearest[picks] = -1
        return picks

    def same(ours: Any, theirs: Any) -> None:
        # float32 decides between near equals
        agree(len(set(ours.tolist()) & set(theirs)) > 0.95 * budget, "picks")

    return Comparison(lambda: CoreSet().select(pool, budget, np.random.default_rng(0)), plain, same)


@compared(
    "badge", "10,000 x 64, 10 classes, budget 100", "k-means++ of scikit-learn", "number of picks", "scikit-learn", 20
)
def badge() -> Comparison:
    """Draws from gradients that are never written down against the library's on written ones."""
    from sklearn.cluster import kmeans_plusplus

    from harness_acquisition.badge import Badge

    pool, budget = pool_of(10_000, 64, 100), 100

    def written() -> Any:
        rows = pool.unlabelled
        q, z = pool.probabilities[rows].astype(np.float32), pool.features[rows]
        q[np.arange(len(q)), q.argmax(axis=1)] -= 1
        gradients = (q[:, :, None] * z[:, None]).reshape(len(q), -1)
        return kmeans_plusplus(gradients, budget, random_state=0, n_local_trials=1)[1]

    def same(ours: Any, theirs: Any) -> None:
        agree(len(set(ours.tolist())) == len(set(theirs.tolist())) == budget, "number of picks")

    return Comparison(lambda: Badge().select(pool, budget, np.random.default_rng(0)), written, same)
