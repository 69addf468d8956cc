"""Diffusion of several descriptors per image, with generalised max pooling of the scores of an image's regions.

A library class: no step of the retrieval task hands regions to an expansion yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from harness.core.errors import InvalidInput
from harness.plugin_api import Ranking
from harness_expansion.order import reordered, stacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids
    from harness_expansion.seeds import Seed
    from harness_expansion.spread import Whole


@dataclass(frozen=True)
class RegionalDiffusion:
    """Diffusion on the graph of all regions of a database (Iscen et al. 2017, §4).

    Attributes:
        k: neighbours of a region in the graph, itself not counted.
        kq: neighbours of each region of a query, and regions from which the query starts.
        gamma: exponent of similarities.
        alpha: how far similarity spreads.
        tol: relative residual at which a solve ends.
        max_iter: iterations after which it ends all the same; 0 solves to ``tol``.
        regularisation: lambda of the generalised max pooling.
    """

    k: Annotated[int, Ge(1)] = 200  # Iscen et al. 2017, released code (regional descriptors)
    kq: Annotated[int, Ge(1)] = 200  # Iscen et al. 2017, released code (regional descriptors)
    gamma: Annotated[float, Gt(0)] = 3.0  # Iscen et al. 2017, released code
    alpha: Annotated[float, Ge(0), Lt(1)] = 0.99  # Iscen et al. 2017, released code
    tol: Annotated[float, Gt(0)] = 1e-6  # Iscen et al. 2017, released code
    max_iter: Annotated[int, Ge(0)] = 20  # Iscen et al. 2017, released code
    regularisation: Annotated[float, Gt(0)] = 1.0  # Iscen et al. 2017, released code (gmpweights)

    def fit(self, regions: Floats, images: Ids, n_images: int) -> FittedRegionalDiffusion:
        """Prepare for a database.

        Args:
            regions: (r, d) float32, L2-normalised.
            images: (r,) the image of each region.
            n_images: images of the database; one without regions scores 0.

        Raises:
            InvalidInput: an image for every region is not given, or is not one of the ``n_images``.
        """
        if images.shape != (len(regions),) or (len(images) and not 0 <= images.min() <= images.max() < n_images):
            raise InvalidInput(
                f"images has shape {images.shape} for {len(regions)} regions",
                fix=f"pass one id of 0..{n_images - 1} each",
            )
        from harness.graph import affinity
        from harness_expansion.spread import System, Whole

        way = Whole(affinity(regions, self.k, self.gamma), System(self.alpha, self.tol, self.max_iter))
        pooling = pooling_weights(regions, images, self.regularisation)
        return FittedRegionalDiffusion(self, regions, images, n_images, way, pooling)


@dataclass(frozen=True)
class FittedRegionalDiffusion:
    """The graph of all regions (r, d) of one database; ``pooling`` (r,) says how much each counts in its image."""

    parameters: RegionalDiffusion
    regions: Floats
    images: Ids
    n_images: int
    way: Whole
    pooling: NDArray[np.float64]

    def scores(self, queries: Sequence[Floats]) -> NDArray[np.float64]:
        """Scores of all images (q, n_images) for queries of one or more regions (m, d) each."""
        seeds = [self.seed(query) for query in queries]
        pooled = np.zeros((len(seeds), self.n_images))
        for first in range(0, len(seeds), self.way.block):
            rows = slice(first, first + self.way.block)
            found, _ = self.way.scores(self.regions[:0], seeds[rows], self.images[:0])
            for row, values in enumerate(found * self.pooling, start=first):
                pooled[row] = np.bincount(self.images, values, self.n_images)
        return pooled

    def search(self, queries: Sequence[Floats], depth: int = 0) -> Ranking:
        """The images with the largest scores for each query, equal ones by the lowest id; depth 0 ranks all."""
        depth = min(depth or self.n_images, self.n_images)
        rows = [reordered(row, np.arange(depth)) for row in self.scores(queries)]
        shape = (len(queries), depth)
        return stacked(rows, Ranking(np.zeros(shape, np.int64), np.zeros(shape, np.float32)))

    def seed(self, query: Floats) -> Seed:
        """Where a query of regions (m, d) starts.

        Each of its regions gives its similarities to its ``kq`` nearest; what they sum to, where among the ``kq``
        largest, counts to the power gamma. Negative sums count nothing.
        """
        kq = min(self.parameters.kq, len(self.regions))
        total = np.zeros(len(self.regions))
        for region in query:
            similarities = self.regions @ region
            near = np.argsort(-similarities, kind="stable")[:kq]
            total[near] += similarities[near]
        best = np.argsort(-total, kind="stable")[:kq]
        return best, np.maximum(total[best], 0) ** self.parameters.gamma


def pooling_weights(regions: Floats, images: Ids, regularisation: float = 1.0) -> NDArray[np.float64]:
    """Generalised max pooling: per image ``(V^T V + lambda I)^-1 1`` for its regions as columns of V (d, m).

    A region that resembles others of its image counts less, so that repetition does not outvote (Murray and Perronnin
    2014; Iscen et al. 2017, released code).

    Args:
        regions: (r, d).
        images: (r,) the image of each region.
        regularisation: lambda, above 0.

    Returns:
        (r,) float64.
    """
    weights = np.zeros(len(regions))
    order = np.argsort(images, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(images[order])) + 1):
        v = regions[group].astype(np.float64)
        weights[group] = np.linalg.solve(v @ v.T + regularisation * np.eye(len(group)), np.ones(len(group)))
    return weights
