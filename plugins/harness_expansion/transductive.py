"""Diffusion from inside the graph: each query becomes a node of it, alone.

Loads scipy: imported when a database is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from harness.graph import Neighbours, normalise, solve
from harness_expansion.spread import Convergence, System

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids
    from harness_expansion.seeds import Seed


class Transductive:
    """The graph of a database and how it changes when one query joins.

    The reciprocal graph of database and query is that of the database but for two things: the query pushes the last
    neighbour out of the list of each image that is more similar to the query, and it gets edges to those of its own
    neighbours among them.
    """

    block: Final = 1

    def __init__(self, database: Floats, nearest: Neighbours, affinity: Any, gamma: float, system: System) -> None:
        """Bind to a database (n, d), the lists of its neighbours (n, k) and its affinity (n, n)."""
        self._database, self._nearest, self._gamma, self._system = database, nearest, gamma, system
        self._affinity = affinity.astype(np.float64)

    def scores(self, queries: Floats, seeds: Sequence[Seed], rankings: Ids) -> tuple[NDArray[np.float64], Convergence]:
        """Diffused similarities (1, n) of one query (1, d), which is the seed itself."""
        graph = self._joined(queries[0])
        y = np.zeros(graph.shape[0])
        y[-1] = 1
        alpha, tol, max_iter = self._system
        solution, report = solve(normalise(graph), y, alpha, tol, max_iter or None)
        return solution[None, :-1], Convergence(report.iterations, report.residuals)

    def _joined(self, query: Floats) -> csr_array:
        """The affinity (n + 1, n + 1) with the query as last node."""
        indices, kept = self._nearest.indices, self._nearest.similarities
        n, k = indices.shape
        similarities = self._database @ query
        full = indices[:, -1] >= 0
        takes = ~full | (similarities > kept[:, -1])
        near = np.argsort(-similarities, kind="stable")[:k]
        edge = np.zeros(n)
        edge[near] = np.where(takes[near], np.maximum(similarities[near], 0), 0).astype(np.float64) ** self._gamma
        pushing = np.flatnonzero(takes & full)
        row = csr_array(edge[None])
        inner = self._without(pushing, indices[pushing, -1])
        return csr_array(vstack([hstack([inner, row.T]), hstack([row, csr_array((1, 1))])]))

    def _without(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> csr_array:
        """The affinity without the edges between a[i] and b[i]."""
        n = self._affinity.shape[0]
        ones, both = np.ones(2 * len(a)), (np.concatenate([a, b]), np.concatenate([b, a]))
        gone = csr_array((ones, both), shape=(n, n))
        return csr_array(self._affinity - self._affinity.multiply(gone > 0))
