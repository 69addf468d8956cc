"""k-means by faiss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]


def k_means(
    points: Floats, k: int, seed: int, iterations: int, points_per_centroid: int | None = None
) -> tuple[Floats, Ids]:
    """Centroids (k, d) float32 and the cluster (n,) int64 of each of the points (n, d) float32; k is at most n.

    O(n k d iterations) time. A cluster that loses its points takes half of a large one, but with fewer than k different
    points some are empty at the end.

    Args:
        points: finite.
        k: number of clusters.
        seed: of the first centroids.
        iterations: of Lloyd's algorithm.
        points_per_centroid: where there are more, centroids are learnt from a random sample of so many times k points;
            None: from all points.
    """
    import faiss

    points = np.ascontiguousarray(points)
    n, d = points.shape
    most = points_per_centroid or n
    means = faiss.Kmeans(d, k, niter=iterations, seed=seed, min_points_per_centroid=1, max_points_per_centroid=most)
    means.train(points)
    return np.asarray(means.centroids), means.index.search(points, 1)[1][:, 0].astype(np.int64)
