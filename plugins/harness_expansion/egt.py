"""Explore-exploit traversal: images reached from the query along the strongest edges of the neighbour graph."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Interval

from harness_expansion.order import reordered, stacked
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids, Ranking

_MOST: Final = 50  # Chang et al. 2019, released code
_THRESHOLD: Final = 0.42  # Chang et al. 2019, released code, for cosines of its network
_WEAKEST: Final = 0.1


@dataclass(frozen=True)
class EGT:
    """Images in the order in which a traversal of the neighbour graph reaches them (Chang et al. 2019).

    The query has edges to its first ``k`` images, and two images have one if either is among the ``k`` nearest of the
    other; an edge weighs the similarity of its ends. From what is reached the strongest edge is followed, then all
    edges above ``threshold`` that are known by now, and only then those of the images just reached. The result is
    an order: scores count the images that come later, and are 0 for images that are not reached, which keep their
    order. Of equally strong edges the one to the image ranked first is followed, wherever the ranking is cut. Time
    O(n^2 d) once and O(top k log) a query; memory O(nk) beside the database. A chain of edges leads astray where
    neighbours are often wrong: on ``photographs`` it gains with whitened descriptors of a last layer and loses with
    weaker ones.

    Formula:
        E(i) = edges of image i; R = (q), V = (q), A = {}
        until |R| > top: A = A and all E(i), i in V; V = the end of the strongest edge of A that is not in R, and then
        of the strongest again and again while it weighs more than the threshold; R = R, V
        recommended, of n images: k = n / 20 from 5 to 50; threshold: a tenth of all edges weigh less

    Attributes:
        k: neighbours of an image, and images that the query leads to; ``auto``: as the preset says.
        threshold: similarity above which edges are followed before new ones are looked at; ``auto``: as the preset
            says.
        top: images that are reached at most.
        preset: ``recommended`` bounds k by the size of the database and reads the threshold off its edges,
            ``released-code`` takes 50 and 0.42.
    """

    result_version: ClassVar[int] = 3  # of equal edges the same one, wherever the ranking is cut

    k: Annotated[int, Ge(1)] | Auto = "auto"
    threshold: Annotated[float, Interval(ge=-1, le=1)] | Auto = "auto"
    top: Annotated[int, Ge(1)] = 1000  # Chang et al. 2019, released code
    preset: Literal["released-code", "recommended"] = "recommended"

    def k_of(self, n: int) -> int:
        """The number ``k`` for a database of n images."""
        return k_of(self.k, n, 20, 5, _MOST, bounded=self.preset == "recommended")

    def fit(self, database: Floats) -> FittedEGT:
        """The neighbour graph of a database (n, d) float32 of L2-normalised descriptors."""
        k = self.k_of(len(database))
        edges = Edges.of(database, k)
        automatic = edges.weak() if self.preset == "recommended" else _THRESHOLD
        return FittedEGT(database, edges, k, automatic if self.threshold == "auto" else self.threshold, self.top)


@dataclass(frozen=True)
class FittedEGT:
    """The method bound to a database (n, d), and its graph."""

    database: Floats
    edges: Edges
    k: int
    threshold: float
    top: int

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """A ranking as deep as the one given, for each query (q, d) on its own; scores count later images."""
        rows = []
        for query, before, tied in zip(queries, ranking.indices, ranking.tied, strict=True):
            groups = self._traversal(query, before)
            scores = np.zeros(len(self.database))
            for place, group in enumerate(groups):
                scores[group] = len(groups) - place
            rows.append(reordered(scores, before, tied))
        return stacked(rows, ranking)

    def _traversal(self, query: Floats, before: Ids) -> list[list[int]]:
        """Images in the order reached; those that equal edges led to, one directly after the other, together."""
        from harness.search import unit_rows

        n, limit = len(self.database), min(self.top, len(self.database))
        places = np.full(n, len(before))
        places[before] = np.arange(len(before))
        ends = before[: self.k]
        weights = unit_rows(self.database[ends]) @ unit_rows(query[None])[0] if len(ends) else np.zeros(0, np.float32)
        strongest = np.full(n, -np.inf, np.float32)  # edge to each image so far; infinite once it is reached
        known: list[tuple[float, int, float, int]] = []
        groups: list[list[int]] = []
        reached = 0
        while True:
            better = weights > strongest[ends]
            ends, weights = ends[better], weights[better]
            np.maximum.at(strongest, ends, weights)
            columns = (-weights, places[ends], self._below(query, ends, places[ends] == len(before)), ends)
            for edge in zip(*(column.tolist() for column in columns), strict=True):
                heappush(known, edge)
            latest: list[int] = []
            last = np.inf
            while known and reached < limit and (not latest or -known[0][0] > self.threshold):
                weight, _, _, image = heappop(known)
                if strongest[image] == np.inf:
                    continue
                strongest[image], reached = np.inf, reached + 1
                if weight == last:
                    groups[-1].append(image)
                else:
                    groups.append([image])
                latest.append(image)
                last = weight
            if not latest or reached == limit:
                return groups
            ends, weights = self.edges.from_images(latest)

    def _below(self, query: Floats, images: Ids, unlisted: NDArray[np.bool_]) -> Floats:
        """Minus the similarity (m,) of images that a cut ranking does not list: their order in the whole one."""
        similarities = np.zeros(len(images), np.float32)
        if unlisted.any():
            from harness.search.kernels import score_pairs

            scores, rows = np.empty(int(unlisted.sum()), np.float32), images[unlisted]
            score_pairs(query[None], self.database, np.zeros(len(rows), np.int64), rows, scores)
            similarities[unlisted] = scores
        return -similarities


class Edges(NamedTuple):
    """Edges of each image, those of image i from ``bounds[i]`` to ``bounds[i + 1]``; most stand there twice."""

    bounds: Ids
    ends: NDArray[np.int32]
    weights: Floats

    @classmethod
    def of(cls, database: Floats, k: int) -> Edges:
        """From each image of a database (n, d) to its ``k`` nearest, and back."""
        from harness.search.neighbours import neighbours

        n = len(database)
        if n == 0:
            return cls(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
        near = neighbours(database, min(k, max(n - 1, 1)))
        exist = near.indices >= 0
        left, right = np.repeat(np.arange(n), exist.sum(axis=1)).astype(np.int32), near.indices[exist].astype(np.int32)
        starts, ends = np.concatenate([left, right]), np.concatenate([right, left])
        order = np.argsort(starts, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(starts, minlength=n))])
        return cls(bounds, ends[order], np.tile(near.similarities[exist], 2)[order])

    def weak(self) -> float:
        """The weight that a tenth of the edges do not exceed; 0 without edges."""
        return float(np.quantile(self.weights, _WEAKEST, method="lower")) if len(self.weights) else 0.0

    def from_images(self, images: list[int]) -> tuple[Ids, Floats]:
        """Ends and weights of all edges of some images."""
        own = np.concatenate([np.arange(self.bounds[image], self.bounds[image + 1]) for image in images])
        return self.ends[own].astype(np.int64), self.weights[own]
