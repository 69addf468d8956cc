"""k-means by faiss; on the card of a run where faiss is the one for cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.search.faiss_library import faiss_library, on_gpu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]


def k_means(
    points: Floats, k: int, seed: int, iterations: int, weights: NDArray[np.floating] | None = None
) -> tuple[Floats, Ids]:
    """Centroids (k, d) float32 and the cluster (n,) int64 of each of the points (n, d) float32; k is at most n.

    O(n k d iterations) time. A cluster that loses its points takes half of a large one, but with fewer than k different
    points some are empty at the end.

    Args:
        points: finite.
        k: number of clusters.
        seed: of the first centroids.
        iterations: of Lloyd's algorithm.
        weights: (n,) not negative, of the points in the means; None, or all of them 0: all the same.
    """
    faiss = faiss_library()
    points = np.ascontiguousarray(points)
    n, d = points.shape
    # By default faiss learns centroids from a sample of 256 times k points.
    limits = {"min_points_per_centroid": 1, "max_points_per_centroid": n}
    means = faiss.Kmeans(d, k, niter=iterations, seed=seed, gpu=on_gpu(faiss), **limits)
    if weights is None or not weights.sum() > 0:
        means.train(points)
    else:
        # With a mean of 1: for an empty cluster faiss seeks one of more than 1 until it finds it.
        means.train(points, weights=(weights / weights.mean()).astype(np.float32))
    return np.asarray(means.centroids), means.index.search(points, 1)[1][:, 0].astype(np.int64)
