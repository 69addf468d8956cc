"""k-means for the acquisitions that look for groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids


def k_means(points: Floats, k: int, rng: np.random.Generator, iterations: int) -> tuple[Floats, Ids]:
    """Centroids (k, d) float32 and the cluster (n,) int64 of each of the points (n, d) float32; k is at most n.

    All points take part in every iteration, which is O(nkd). A cluster that loses its points takes half of a large one
    (faiss), but with fewer than k different points some are empty at the end.
    """
    import faiss

    points = np.ascontiguousarray(points)
    n, d = points.shape
    means = faiss.Kmeans(
        d, k, niter=iterations, seed=int(rng.integers(2**31)), min_points_per_centroid=1, max_points_per_centroid=n
    )
    means.train(points)
    return np.asarray(means.centroids), means.index.search(points, 1)[1][:, 0].astype(np.int64)
