"""Diffusion on the reciprocal nearest-neighbour graph of the database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import numpy as np
from annotated_types import Ge, Gt, Lt

from harness.core.errors import InvalidInput
from harness_expansion.order import reordered, stacked
from harness_expansion.report import Report
from harness_expansion.seeds import similarity_seed, verified_seed

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

    Formula:
        f = (I - alpha S)^-1 y, S = D^-1/2 W D^-1/2
        y_i = <q, x_i>^gamma for the first kq images i of the ranking, else 0
        w_ij = <x_i, x_j>^gamma where i and j are among the k neighbours of each other, else 0

    Attributes:
        k: neighbours of an image in the graph, itself not counted.
        kq: images from which a query starts.
        gamma: exponent of similarities.
        alpha: how far similarity spreads.
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
        preset: ``thesis`` starts from ``verified_kq`` verified images, ``released-code`` from one fewer.
    """

    k: Annotated[int, Ge(1)] = 50  # Iscen et al. 2017, released code (global descriptors)
    kq: Annotated[int, Ge(1)] = 10  # Iscen et al. 2017, released code (global descriptors)
    gamma: Annotated[float, Gt(0)] = 3.0  # Iscen et al. 2017, released code
    alpha: Annotated[float, Ge(0), Lt(1)] = 0.99  # Iscen et al. 2017, released code
    tol: Annotated[float, Gt(0)] = 1e-6  # Iscen et al. 2017, released code
    max_iter: Annotated[int, Ge(0)] = 20  # Iscen et al. 2017, released code
    truncation: Annotated[int, Ge(0)] = 0
    truncate: Literal["early", "late"] = "late"
    offline: bool = False
    transductive: bool = False
    verified: bool = True
    verified_top: Annotated[int, Ge(1)] = 10  # thesis 4.4.1
    verified_kq: Annotated[int, Ge(1)] = 5  # thesis 4.4.1
    preset: Literal["thesis", "released-code"] = "thesis"

    def __post_init__(self) -> None:
        """Refuse what cannot be combined."""
        if self.offline and not self.truncation:
            raise InvalidInput("offline = True needs a truncation", fix="truncation: 1000, as Yang et al. 2019")
        if self.transductive and (self.offline or self.truncation):
            raise InvalidInput("transductive = True solves on the whole graph", fix="leave out offline and truncation")

    def fit(self, database: Floats) -> FittedDiffusion:
        """The graph of a database (n, d) float32 of L2-normalised descriptors, and what can be solved on it already."""
        start = time.perf_counter()
        from harness.graph import affinity_from_neighbours, neighbours
        from harness_expansion import offline, spread, transductive

        system = spread.System(self.alpha, self.tol, self.max_iter)
        nearest = neighbours(database, self.k)
        affinity = affinity_from_neighbours(nearest.indices, nearest.similarities, self.gamma)
        report = Report(self.alpha, self.tol, edges=int(affinity.nnz))
        early = self.truncate == "early"
        solver: Spread
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
        return FittedDiffusion(self, database, solver, report)


class Spread(Protocol):
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

    def __init__(self, parameters: Diffusion, database: Floats, solver: Spread, report: Report) -> None:
        """Made by ``Diffusion.fit``."""
        self._parameters, self._database, self._solver, self._report = parameters, database, solver, report

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
        return similarity_seed(query, self._database, ranked, p.kq, p.gamma)
