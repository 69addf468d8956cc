"""Re-ranking by k-reciprocal encoding: images compared by the neighbourhoods that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge, Interval

from harness.core.errors import InvalidInput
from harness_expansion.order import reordered, stacked, top_reordered
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ranking

_K1: Final = 20  # Zhong et al. 2017, §4.2
_K2: Final = 6  # Zhong et al. 2017, §4.2
_MOST: Final = 50_000
"""Images of a graph: each query looks at the lists of all of them."""


@dataclass(frozen=True)
class KReciprocal:
    """Distance mixed with the Jaccard distance of k-reciprocal neighbourhoods (Zhong et al. 2017).

    Images and one query form a graph; each query joins it alone. The released code puts all queries in at once, so
    that a query gains from the others: that is not offered. The initial distances are those of the descriptors: what a
    re-ranker did before counts where distances are equal only, and by ``top``.

    Time O(n^2 d) once and O(n k1^2 + n d) a query; memory O(n k1) beside the database.

    Formula:
        D_ij = |x_i - x_j|^2 / max_l |x_i - x_l|^2
        N(i, k) = i and its k nearest, R(i, k) = {j in N(i, k): i in N(j, k)}
        E_i = R(i, k1) and all R(j, k1/2), j in R(i, k1), that share more than 2/3 of their members with R(i, k1)
        V_ij = exp(-D_ij) / sum_l exp(-D_il) on E_i, then the mean of V over the first k2 of N(i, .)
        J_qx = 1 - m / (2 - m), m = sum_j min(V_qj, V_xj)
        d_qx = (1 - lambda) J_qx + lambda D_qx, ascending
        recommended, of n images: k1 = n / 80 from 4 to 20, k2 = 3 k1 / 10, at least 2

    Attributes:
        k1: neighbours by which images are compared; half of it, rounded to even, is that of the expansion;
            ``auto``: as the preset says.
        k2: images over which neighbourhoods are averaged, the image itself counted; 1 averages nothing; ``auto``: as
            the preset says.
        weight: lambda, the weight of the initial distance; 1 ranks by it alone, 0 by shared neighbours alone.
        top: the graph holds the query and this many images of its ranking, other images keep their place; 0: the
            graph holds the whole database, at most 50,000 images. Time O(top^2 d) a query then.
        preset: ``recommended`` bounds k1 by the size of the graph and k2 by k1, ``paper`` takes 20 and 6.
    """

    result_version: ClassVar[int] = 2  # k1 by the size of the graph, k2 by k1

    k1: Annotated[int, Ge(1)] | Auto = "auto"
    k2: Annotated[int, Ge(1)] | Auto = "auto"
    weight: Annotated[float, Interval(ge=0, le=1)] = 0.3  # Zhong et al. 2017, §4.2
    top: Annotated[int, Ge(0)] = 0
    preset: Literal["paper", "recommended"] = "recommended"

    def fit(self, database: Floats) -> FittedKReciprocal:
        """The neighbours within a database (n, d) float32 of L2-normalised descriptors.

        Raises:
            InvalidInput: more than 50,000 images with ``top = 0``.
        """
        if self.top:
            return FittedKReciprocal(self, database, None)
        if len(database) > _MOST:
            raise InvalidInput(
                f"k-reciprocal on {len(database):,} images: its graph holds at most {_MOST:,}",
                fix="k-reciprocal: {top: 1000}, the graph of the first images of each ranking",
            )
        return FittedKReciprocal(self, database, Graph(database, *self.sizes(len(database))))

    def sizes(self, n: int) -> tuple[int, int]:
        """``k1`` and ``k2`` of a graph of n images."""
        recommended = self.preset == "recommended"
        k1 = k_of(self.k1, n, 80, 4, _K1, bounded=recommended)
        automatic = max(2, round(_K2 * k1 / _K1)) if recommended else _K2
        return k1, automatic if self.k2 == "auto" else self.k2


@dataclass(frozen=True)
class FittedKReciprocal:
    """The method bound to a database (n, d), and the graph of all of it, if that is asked for."""

    parameters: KReciprocal
    database: Floats
    graph: Graph | None

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """A ranking as deep as the one given, for each query (q, d) on its own; scores are 1 minus the distance."""
        rows = []
        for query, *row in zip(queries, ranking.indices, ranking.scores, ranking.tied, strict=True):
            before, _, tied = row
            if self.graph is not None:
                rows.append(reordered(self._scores(self.graph, query), before, tied))
                continue
            top = self.database[before[: self.parameters.top]]
            graph = Graph(top, *self.parameters.sizes(len(top)))
            rows.append(top_reordered([self._scores(graph, query)], *row))
        return stacked(rows, ranking)

    def _scores(self, graph: Graph, query: Floats) -> NDArray[np.float64]:
        jaccard, distances = graph.distances(query)
        scores: NDArray[np.float64] = 1 - ((1 - self.parameters.weight) * jaccard + self.parameters.weight * distances)
        return scores


class Graph:
    """The lists of neighbours of some images, each list beginning with its image, and how a query changes them.

    An image without descriptor is as far from all others as an orthogonal one.
    """

    def __init__(self, database: Floats, k1: int, k2: int) -> None:
        """Find the neighbours within a database (n, d)."""
        from harness.search import own_entries, top_k, unit_rows

        self._x, self._k1, self._half, self._k2 = unit_rows(database), k1, round(k1 / 2), k2
        n = len(database)
        self._length = min(max(k1 + 1, k2), n + 1)  # of a list that a query may have joined
        best = top_k(self._x, self._x, min(self._length, n))
        rows, others = np.arange(n), ~own_entries(best.indices, np.arange(n))
        shape = (n, max(best.indices.shape[1] - 1, 0))
        self._lists = np.column_stack([rows, best.indices[others].reshape(shape)]).astype(np.int32)
        self._similarities = np.column_stack([np.full(n, np.inf), best.scores[others].reshape(shape)])
        self._least = -top_k(-self._x, self._x, 1).scores.astype(np.float64).reshape(-1)[:n]
        self._pairs = self._known_pairs()

    def distances(self, query: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Jaccard distances and normalised distances (n,) of a query (d,) to all images."""
        from harness.search import top_k, unit_rows
        from harness_expansion import reciprocal

        n = len(self._x)
        if n == 0:
            return np.zeros(0), np.zeros(0)
        q = unit_rows(query[None])
        best = top_k(q, self._x)
        similarities = np.empty(n)
        similarities[best.indices[0]] = best.scores[0]
        own = np.concatenate([[n], best.indices[0, : self._length - 1]]).astype(np.int32)
        lists = reciprocal.joined(self._lists, self._similarities, similarities, own)
        furthest = np.append(distance(np.minimum(self._least, similarities)), distance(similarities.min()))
        nodes = np.vstack([self._x, q])
        sizes = self._k1, self._half, min(self._k2, self._length)
        jaccard = reciprocal.jaccard(lists, nodes, furthest, self._pairs, sizes)
        return jaccard, distance(similarities) / (furthest[-1] if furthest[-1] > 0 else 1.0)

    def _known_pairs(self) -> tuple[Any, Any, Any]:
        """Of each image the others that may be in its neighbourhood, whatever the query: ends, ids, similarities."""
        from harness_expansion import reciprocal

        return reciprocal.known_pairs(self._lists, self._x, self._k1, self._half)


def distance(similarities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared Euclidean distances of unit vectors from their inner products."""
    return np.asarray(np.maximum(2 - 2 * similarities, 0.0))
