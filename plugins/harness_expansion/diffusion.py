"""Diffusion on the reciprocal nearest-neighbour graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy.typing import NDArray

from harness.protocols import Ranking
from harness_expansion.order import reranked

if TYPE_CHECKING:
    from harness.graph.solver import Solver
    from harness.protocols import Floats, Ids

_QUERIES = 64
"""Queries solved together: bounds the memory to 64 columns of the database's length."""


@dataclass(frozen=True)
class Diffusion:
    """Similarity spread over the graph of the database: (I - alpha S) f = y (Iscen et al. 2017; thesis 2.4, 4.4.1).

    The seed y of a query holds its similarities, to the power gamma, to the first ``kq`` images of its ranking. After
    spatial verification (``verified``) the seed holds inliers times similarity of the ``verified_top`` first images,
    of which the ``verified_kq`` largest stay (thesis 4.4.1).

    Attributes:
        k: neighbours of an image in the graph.
        kq: images that a query starts from.
        gamma: exponent of similarities.
        alpha: how far similarity spreads.
        tol: relative residual of the solve.
        max_iter: iterations at most; 0 solves to ``tol``.
        truncation: solve among this many images of each query's ranking only; 0 takes the whole database.
        truncate: ``late`` cuts the normalised graph (Yang et al. 2019), ``early`` normalises what was cut (Iscen).
        verified: whether to start from spatially verified images where the ranking has them.
        verified_top: verified images looked at.
        verified_kq: of these, how many seed the diffusion.
        preset: ``thesis`` keeps ``verified_kq`` seeds; ``released-code`` keeps one fewer, as the original's index does.
    """

    k: Annotated[int, Gt(0)] = 50  # Iscen et al. 2017, released code
    kq: Annotated[int, Gt(0)] = 10  # Iscen et al. 2017, released code
    gamma: Annotated[float, Gt(0)] = 3.0  # Iscen et al. 2017, §5.1
    alpha: Annotated[float, Ge(0), Lt(1)] = 0.99  # Iscen et al. 2017, §5.1
    tol: Annotated[float, Gt(0)] = 1e-6  # Iscen et al. 2017, released code
    max_iter: Annotated[int, Ge(0)] = 20  # Iscen et al. 2017, released code
    truncation: Annotated[int, Ge(0)] = 0
    truncate: Literal["late", "early"] = "late"
    verified: bool = True
    verified_top: Annotated[int, Gt(0)] = 10  # thesis 4.4.1
    verified_kq: Annotated[int, Gt(0)] = 5  # thesis 4.4.1
    preset: Literal["thesis", "released-code"] = "thesis"

    def fit(self, database: Floats) -> FittedDiffusion:
        """The normalised graph of a database (n, d) of L2-normalised descriptors."""
        from harness.graph import affinity, normalise

        weights = affinity(database, k=min(self.k, max(1, len(database) - 1)), gamma=self.gamma, mode="reciprocal")
        return FittedDiffusion(self, database, weights, normalise(weights))


@dataclass(frozen=True)
class FittedDiffusion:
    """The graph of one database.

    Attributes:
        parameters: what the user chose.
        database: (n, d) descriptors.
        weights: (n, n) affinity, sparse.
        normalised: (n, n) the same, symmetrically normalised.
        report: what a record should say of the last call: edges, iterations, share of converged queries.
    """

    parameters: Diffusion
    database: Floats
    weights: Any
    normalised: Any
    report: dict[str, Any] = field(default_factory=dict, compare=False)

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Diffuse from each query (q, d) on its own; images that nothing reaches keep their order below."""
        parts = []
        iterations, converged = [0], []
        for start in range(0, len(queries), _QUERIES):
            part = slice(start, start + _QUERIES)
            verified = None if ranking.verified is None else ranking.verified[part]
            block = Ranking(ranking.indices[part], ranking.scores[part], verified)
            scores, reports = self._scores(queries[part], block)
            parts.append(reranked(scores, block))
            for report in reports:
                iterations.append(int(report.iterations.max(initial=0)))
                converged.append(float(report.converged.mean()) if len(report.converged) else 1.0)
        self.report.update(
            edges=int(self.weights.nnz), iterations=max(iterations), converged=float(np.mean(converged or [1.0]))
        )
        if not parts:
            return ranking
        return Ranking(np.concatenate([p.indices for p in parts]), np.concatenate([p.scores for p in parts]))

    def _scores(self, queries: Floats, ranking: Ranking) -> tuple[NDArray[np.float64], list[Any]]:
        """Diffused similarities (q, n) and how the solves went."""
        seeds = [self._seed(query, ranking, row) for row, query in enumerate(queries)]
        scores = np.zeros((len(queries), len(self.database)))
        if self.parameters.truncation == 0:
            columns = np.zeros((len(self.database), len(queries)))
            for row, (images, values) in enumerate(seeds):
                columns[images, row] = values
            solution, report = self._solver.solve(columns, **self._ends)
            return solution.T, [report]
        reports = []
        for row, (images, values) in enumerate(seeds):
            kept = np.union1d(ranking.indices[row, : self.parameters.truncation], images)
            column = np.zeros(len(kept))
            column[np.searchsorted(kept, images)] = values
            scores[row, kept], report = self._truncated(kept, column)
            reports.append(report)
        return scores, reports

    def _truncated(self, kept: Ids, column: NDArray[np.float64]) -> tuple[NDArray[np.float64], Any]:
        """The solve among these images only."""
        from harness.graph import normalise, solve

        early = self.parameters.truncate == "early"
        graph = (self.weights if early else self.normalised)[kept][:, kept]
        return solve(normalise(graph) if early else graph, column, alpha=self.parameters.alpha, **self._ends)

    def _seed(self, query: Floats, ranking: Ranking, row: int) -> tuple[Ids, NDArray[np.float64]]:
        """Where a query starts from: images and their values."""
        p = self.parameters
        if p.verified and ranking.verified is not None and ranking.verified[row].max(initial=0) > 0:
            images = ranking.indices[row, : p.verified_top]
            inliers = ranking.verified[row, : p.verified_top].astype(np.float64)
            values = inliers / inliers.max() * (self.database[images] @ query)
            keep = p.verified_kq - (p.preset == "released-code")
            largest = np.argsort(-values, kind="stable")[:keep]
            if inliers.max() > 0 and values[largest].any():
                return images[largest], values[largest]
        images = ranking.indices[row, : p.kq]
        return images, np.maximum(self.database[images].astype(np.float64) @ query, 0) ** p.gamma

    @property
    def _ends(self) -> dict[str, Any]:
        return {"tol": self.parameters.tol, "max_iter": self.parameters.max_iter or None}

    @property
    def _solver(self) -> Solver:
        from harness.graph import Solver

        # Prepared once: reordering costs as much as several solves. A frozen object may keep what follows from it.
        prepared: Solver | None = self.__dict__.get("_prepared")
        if prepared is None:
            prepared = Solver(self.normalised, alpha=self.parameters.alpha)
            object.__setattr__(self, "_prepared", prepared)
        return prepared
