"""The k-NN graphs that a run needs: of features that do not change each is computed once for a data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np

from harness.cache import Arrays, Cache

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids

POOL_GRAPH: Final = (50, 3.0, "reciprocal")
"""Neighbours, exponent and mode of the graph that a pool shows (thesis 3.5.1)."""


def affinity(features: Floats, k: int, gamma: float, mode: str) -> Any:
    """The normalised k-NN graph of features (n, d): (n, n) sparse float32; their order decides nothing."""
    from harness import graph
    from harness.search import any_order

    preferred = any_order(len(features))
    weights = graph.affinity(features, k, gamma, cast("Literal['reciprocal', 'union']", mode), preferred)
    return graph.normalise(weights)


@dataclass(frozen=True)
class StoredGraphs:
    """Graphs of features that do not change: stored under the features themselves, for all cycles, seeds and runs.

    Attributes:
        cache: where they are stored.
    """

    cache: Cache

    def affinity(self, features: Floats, k: int, gamma: float, mode: str) -> Any:
        """As the function ``affinity``; computed or read."""
        from scipy.sparse import csr_array

        from harness.graph import RESULT_VERSION
        from harness.search import RESULT_VERSION as SEARCH_VERSION

        def compute() -> Arrays:
            graph = affinity(features, k, gamma, mode)
            return {name: getattr(graph, name) for name in ("data", "indices", "indptr")}

        content = hashlib.sha256(np.ascontiguousarray(features).data).hexdigest()
        key = {
            "stage": "graph",
            "features": [content, *features.shape],
            "graph": [k, float(gamma), mode],
            "engine": [RESULT_VERSION, SEARCH_VERSION],
        }
        arrays = self.cache.get_or_compute(key, compute).arrays
        n = len(features)
        return csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=(n, n))


def reordered(graph: Any, order: Ids) -> Any:
    """The graph of the same examples in another order: row i is that of example ``order[i]``."""
    moved = graph[order][:, order].tocsr()
    moved.sort_indices()
    return moved
