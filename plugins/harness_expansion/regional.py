"""Diffusion of several descriptors per image, with generalised max pooling of the scores of an image's regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt

from harness_expansion.order import reordered, stacked
from harness_expansion.report import Report
from harness_expansion.sizes import FARTHEST, Auto, Sizes, Spread, alpha_of, share_of, stated_or

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids, Ranking
    from harness_expansion.seeds import Seed
    from harness_expansion.spread import WholeGraph


@dataclass(frozen=True)
class RegionalDiffusion:
    """Similarity spread over the graph of all regions of a database (Iscen et al. 2017, §4; thesis 5.4.3).

    Needs a pooling that gives regions. Each region of a query gives its similarities to its ``kq`` nearest; the ``kq``
    largest of their sums, to the power gamma, are the seed y. Regions of an image that resemble each other share their
    weight. Images that nothing reaches keep the order of the ranking, below those that have a score; a re-ranking has
    no other say.

    Formula:
        f = (I - alpha S)^-1 y, as in ``diffusion``, on regions
        score of an image = b^T f, b = (V^T V + lambda I)^-1 1, over its regions as columns of V
        recommended, of n regions: k = kq = n / 20 from 5 to 200, alpha = 1 - 2 / sqrt(n), at most 0.99

    Attributes:
        k: neighbours of a region in the graph, itself not counted; ``auto``: as the preset says, 200 as published.
        kq: neighbours of each region of a query, and regions from which the query starts; ``auto``: as ``k``.
        gamma: exponent of similarities.
        alpha: how far similarity spreads; ``auto``: as the preset says, 0.99 as published.
        tol: relative residual at which a solve ends.
        max_iter: iterations after which it ends all the same; 0 solves to ``tol``.
        regularisation: lambda of the generalised max pooling.
        preset: ``thesis`` has the published numbers, ``recommended`` numbers by how many regions there are.
    """

    result_version: ClassVar[int] = 2  # numbers by how many regions there are

    k: Annotated[int, Ge(1)] | Auto = "auto"
    kq: Annotated[int, Ge(1)] | Auto = "auto"
    gamma: Annotated[float, Gt(0)] = 3.0  # Iscen et al. 2017, released code
    alpha: Spread = "auto"
    tol: Annotated[float, Gt(0)] = 1e-6  # Iscen et al. 2017, released code
    max_iter: Annotated[int, Ge(0)] = 20  # Iscen et al. 2017, released code
    regularisation: Annotated[float, Gt(0)] = 1.0  # Iscen et al. 2017, released code (gmpweights)
    preset: Literal["thesis", "recommended"] = "recommended"

    def fit(self, database: Floats) -> FittedRegionalDiffusion:
        """The graph of a database (n, d) float32 of L2-normalised descriptors, each the only region of its image."""
        return self.fit_regions(list(database[:, None]))

    def fit_regions(self, database: Sequence[Floats]) -> FittedRegionalDiffusion:
        """The graph of the regions (r, d) float32 of each image, L2-normalised; an image without any scores 0."""
        from harness.graph import affinity
        from harness_expansion.spread import System, WholeGraph

        regions = np.concatenate(database) if len(database) else np.zeros((0, 1), np.float32)
        images = np.repeat(np.arange(len(database)), [len(rows) for rows in database])
        sizes = self.sizes(len(regions))
        graph = affinity(regions, sizes.k, self.gamma)
        solver = WholeGraph(graph, System(sizes.alpha, self.tol, self.max_iter))
        pooling = pooling_weights(regions, images, self.regularisation)
        report = Report(*sizes, self.tol, edges=int(graph.nnz))
        return FittedRegionalDiffusion(self, regions, images, len(database), solver, pooling, report)

    def sizes(self, n: int) -> Sizes:
        """k, kq and alpha of a database of n regions."""
        automatic = Sizes(200, 200, FARTHEST)  # Iscen et al. 2017, released code (regional descriptors)
        if self.preset == "recommended":
            automatic = Sizes(share_of(n, 20, 5, 200), share_of(n, 20, 5, 200), alpha_of(n))
        return stated_or((self.k, self.kq, self.alpha), automatic)


@dataclass(frozen=True)
class FittedRegionalDiffusion:
    """The graph of all regions (r, d) of one database; ``pooling`` (r,) says how much each counts in its image."""

    parameters: RegionalDiffusion
    regions: Floats
    images: Ids
    n_images: int
    solver: WholeGraph
    pooling: NDArray[np.float64]
    _report: Report

    @property
    def report(self) -> dict[str, Any]:
        """JSON-able, over all calls so far: what ``Report.as_dict`` says."""
        return self._report.as_dict()

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Diffuse from each query (q, d) as its only region: a ranking as deep as the one given."""
        return self.expand_regions(list(queries[:, None]), ranking)

    def expand_regions(self, queries: Sequence[Floats], ranking: Ranking) -> Ranking:
        """Diffuse from each query's regions (r, d): a ranking as deep as the one given, of all images."""
        scores = self.scores(queries)
        self._report.queries += len(queries)
        rows = zip(scores, ranking.indices, ranking.tied, strict=True)
        return stacked([reordered(*row) for row in rows], ranking)

    def scores(self, queries: Sequence[Floats]) -> NDArray[np.float64]:
        """Scores of all images (q, n_images) for queries of regions (r, d)."""
        seeds = [self.seed(query) for query in queries]
        pooled = np.zeros((len(seeds), self.n_images))
        for first in range(0, len(seeds), self.solver.block):
            rows = slice(first, first + self.solver.block)
            diffused, ends = self.solver.scores(self.regions[:0], seeds[rows], self.images[:0])
            self._report.add(ends)
            for row, values in enumerate(diffused * self.pooling, start=first):
                pooled[row] = np.bincount(self.images, values, self.n_images)
        return pooled

    def seed(self, query: Floats) -> Seed:
        """Where a query of regions (r, d) starts.

        Each of its regions gives its similarities to its ``kq`` nearest; what they sum to, where among the ``kq``
        largest, counts to the power gamma. Negative sums count nothing.
        """
        from harness.search import top_k

        if not len(self.regions):  # whose dimension nobody knows
            return np.zeros(0, np.int64), np.zeros(0)
        kq = min(self._report.kq, len(self.regions))
        total = np.zeros(len(self.regions))
        nearest = top_k(query, self.regions, kq)
        np.add.at(total, nearest.indices, nearest.scores)
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
