"""Diffusion on the reciprocal nearest-neighbour graph of the database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
from annotated_types import Ge, Gt

from harness.core.errors import InvalidInput
from harness_expansion.order import reordered, stacked
from harness_expansion.report import Report
from harness_expansion.seeds import similarity_seed, verified_seed
from harness_expansion.sizes import FARTHEST, Auto, Sizes, Spread, alpha_of, share_of, stated_or

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids, Ranking
    from harness_expansion.seeds import Seed
    from harness_expansion.spread import Convergence


@dataclass(frozen=True)
class Diffusion:
    """Similarity spread over the graph of the database: (I - alpha S) f = y (Iscen et al. 2017; thesis 2.10, 4.4.1).

    The seed y of a query holds its similarities, to the power gamma, to the first ``kq`` images of its ranking. Where
    spatial verification gave the ranking weights, it holds inliers times similarity of the best ``verified_kq`` of the
    first ``verified_top`` images; a query with no verified image starts from the plain seed, and the report counts it.
    Images that nothing reaches keep the order of the ranking, below those that have a score.

    Published k, kq and alpha suit thousands of images; of a few hundred they join all with all. The preset
    ``recommended`` therefore bounds them by the size of the database.

    Formula:
        f = (I - alpha S)^-1 y, S = D^-1/2 W D^-1/2
        y_i = <q, x_i>^gamma for the first kq images i of the ranking, else 0
        w_ij = <x_i, x_j>^gamma where i and j are among the k neighbours of each other, else 0
        recommended, of n images: k = n / 20 from 5 to 50, kq = n / 50 from 3 to 10, alpha = 1 - 2 / sqrt(n) to 0.99

    Attributes:
        k: neighbours of an image in the graph, itself not counted; ``auto``: as the preset says, 50 as published.
        kq: images from which a query starts; ``auto``: as the preset says, 10 as published.
        gamma: exponent of similarities.
        alpha: how far similarity spreads; ``auto``: as the preset says, 0.99 as published.
        tol: relative residual at which a solve ends.
        max_iter: iterations after which it ends all the same; 0 solves to ``tol``.
        truncation: solve among this many top images of each ranking only; 0 takes the whole database.
        truncate: ``early`` cuts the affinity and normalises what is left (Iscen et al. 2017), ``late`` cuts the
            normalised graph (Yang et al. 2019).
        offline: solve for every image of the database among its ``truncation`` nearest while fitting, so that a query
            only adds up rows (Yang et al. 2019).
        transductive: put the query into the graph as a node, the only seed. Each query joins the graph of the database
            alone: unlike in released code that puts all queries in at once, no query sees another. ``kq`` and
            ``verified`` have no part in it.
        verified: start from verified images where the ranking has them.
        verified_top: verified images looked at.
        verified_kq: how many of them start the diffusion.
        preset: ``thesis`` has the published numbers and starts from ``verified_kq`` verified images, ``released-code``
            from one fewer; ``recommended`` is ``thesis`` with numbers by the size of the database.
    """

    result_version: ClassVar[int] = 2  # numbers by the size of the database

    k: Annotated[int, Ge(1)] | Auto = "auto"
    kq: Annotated[int, Ge(1)] | Auto = "auto"
    gamma: Annotated[float, Gt(0)] = 3.0  # Iscen et al. 2017, released code
    alpha: Spread = "auto"
    tol: Annotated[float, Gt(0)] = 1e-6  # Iscen et al. 2017, released code
    max_iter: Annotated[int, Ge(0)] = 20  # Iscen et al. 2017, released code
    truncation: Annotated[int, Ge(0)] = 0
    truncate: Literal["early", "late"] = "late"
    offline: bool = False
    transductive: bool = False
    verified: bool = True
    verified_top: Annotated[int, Ge(1)] = 10  # thesis 4.4.1
    verified_kq: Annotated[int, Ge(1)] = 5  # thesis 4.4.1
    preset: Literal["thesis", "released-code", "recommended"] = "recommended"

    def __post_init__(self) -> None:
        """Refuse what cannot be combined."""
        if self.offline and not self.truncation:
            raise InvalidInput("offline = True needs a truncation", fix="truncation: 1000, as Yang et al. 2019")
        if self.transductive and (self.offline or self.truncation):
            raise InvalidInput("transductive = True solves on the whole graph", fix="leave out offline and truncation")

    def fit(self, database: Floats) -> FittedDiffusion:
        """The graph of a database (n, d) float32 of L2-normalised descriptors, and what can be solved on it already."""
        start = time.perf_counter()
        from harness.graph import neighbours
        from harness_expansion import offline, spread, transductive

        sizes = self.sizes(len(database))
        system = spread.System(sizes.alpha, self.tol, self.max_iter)
        nearest = neighbours(database, sizes.k)
        affinity = self.affinity(nearest.indices, nearest.similarities)
        report = Report(*sizes, self.tol, edges=int(affinity.nnz))
        early = self.truncate == "early"
        solver: Spreads
        if self.transductive:
            solver = transductive.Transductive(database, nearest, affinity, self.gamma, system)
        elif self.offline:
            solver = offline.Offline(database, affinity, system, self.truncation, early)
            report.stored_bytes = solver.stored_bytes
            report.add(solver.ends)
        elif self.truncation:
            solver = spread.Truncated(affinity, system, self.truncation, early)
        else:
            solver = spread.WholeGraph(affinity, system)
        report.fit_seconds = time.perf_counter() - start
        fitted = WholeDiffusion if isinstance(solver, spread.WholeGraph) else FittedDiffusion
        return fitted(self, database, solver, sizes, report)

    def affinity(self, indices: Ids, similarities: Floats) -> Any:
        """The sparse affinity (n, n) of lists of neighbours (n, k)."""
        from harness.graph import affinity_from_neighbours

        return affinity_from_neighbours(indices, similarities, self.gamma)

    def sizes(self, n: int) -> Sizes:
        """k, kq and alpha of a database of n images."""
        automatic = Sizes(50, 10, FARTHEST)  # Iscen et al. 2017, released code (global descriptors)
        if self.preset == "recommended":
            automatic = Sizes(share_of(n, 20, 5, 50), share_of(n, 50, 3, 10), alpha_of(n))
        return stated_or((self.k, self.kq, self.alpha), automatic)


class Spreads(Protocol):
    """How the seeds of a block of queries spread."""

    @property
    def block(self) -> int:
        """Queries answered together: bounds the memory to so many rows of n scores."""
        ...

    def scores(self, queries: Floats, seeds: Sequence[Seed], rankings: Ids) -> tuple[NDArray[np.float64], Convergence]:
        """Queries (q, d), a seed and a ranking (q, k) each -> diffused similarities (q, n), how the solves ended."""
        ...


class FittedDiffusion:
    """Diffusion on the graph of one database."""

    def __init__(
        self,
        parameters: Diffusion,
        database: Floats,
        solver: Spreads,
        sizes: Sizes,
        report: Report,
        left_out: Ids | None = None,
    ) -> None:
        """Made by ``Diffusion.fit``."""
        self._parameters, self._database, self._solver, self._report = parameters, database, solver, report
        self._sizes, self._left_out = sizes, np.zeros(0, np.int64) if left_out is None else left_out

    @property
    def report(self) -> dict[str, Any]:
        """JSON-able, over all calls so far: what ``Report.as_dict`` says."""
        return self._report.as_dict()

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Diffuse from each query (q, d) on its own: a ranking as deep as the one given, of all images reached."""
        start = time.perf_counter()
        rows = []
        for first in range(0, len(queries), self._solver.block):
            block = range(first, min(first + self._solver.block, len(queries)))
            part, before = slice(block.start, block.stop), ranking.indices[block.start : block.stop]
            seeds = [self.seed(queries[row], ranking, row) for row in block]
            scores, ends = self._solver.scores(queries[part], seeds, before)
            scores[:, self._left_out] = -np.inf
            rows += [reordered(*row) for row in zip(scores, before, ranking.tied[part], strict=True)]
            self._report.add(ends)
        self._report.queries += len(queries)
        self._report.expand_seconds += time.perf_counter() - start
        return stacked(rows, ranking)

    def seed(self, query: Floats, ranking: Ranking, row: int) -> Seed:
        """Images and values from which a query (d,) with this row of the ranking starts."""
        p, ranked = self._parameters, ranking.indices[row]
        if p.verified and ranking.verified is not None:
            keep = p.verified_kq - (p.preset == "released-code")
            seed = verified_seed(query, self._database, ranked, ranking.verified[row], p.verified_top, keep)
            if seed is not None:
                return seed
            self._report.unverified += 1
        return similarity_seed(query, self._database, ranked, self._sizes.kq, p.gamma)


class WholeDiffusion(FittedDiffusion):
    """Diffusion on the whole graph of one database, which single images can be taken out of."""

    _lists: tuple[Ids, Floats] | None = None
    """Neighbours (n, k) and their similarities, more than the graph has: what moves up where an image is taken out."""

    def without(self, images: Ids) -> WholeDiffusion:
        """As if these images (m,) were not in the database, in its numbers: nodes without edges, in no ranking."""
        from harness_expansion.spread import System, WholeGraph

        p, n = self._parameters, len(self._database)
        sizes = p.sizes(n - len(images))
        indices, similarities = self._neighbours(sizes.k + len(images))
        gone = np.isin(indices, images)
        order = np.argsort(gone, axis=1, kind="stable")[:, : sizes.k]
        indices = np.where(gone, -1, indices)
        indices[images] = -1
        affinity = p.affinity(
            np.take_along_axis(indices, order, axis=1), np.take_along_axis(similarities, order, axis=1)
        )
        solver = WholeGraph(affinity, System(sizes.alpha, p.tol, p.max_iter))
        return WholeDiffusion(p, self._database, solver, sizes, self._report, images)

    def _neighbours(self, k: int) -> tuple[Ids, Floats]:
        """At least k neighbours of each image, where there are so many."""
        from harness.graph import neighbours

        if self._lists is None or self._lists[0].shape[1] < min(k, len(self._database) - 1):
            nearest = neighbours(self._database, k)
            self._lists = nearest.indices, nearest.similarities
        return self._lists
