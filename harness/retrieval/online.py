"""What happens when a query arrives: search, re-ranking, expansion. Loads faiss and torch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.plugin_api import FittedExpansion, Ranking
from harness.retrieval.contract import require_ranking
from harness.retrieval.reranking import Reranking, stacked, stored_bytes
from harness.search.blocks import search_blocks
from harness.search.ranking import search

_DEPTH: Final = 10_000
"""Length of rankings among distractors where the protocol asks for the whole: places below are counted, not listed."""

Floats = NDArray[np.float32]


@dataclass
class Online:
    """A database ready to be asked; works on any part of the queries.

    Attributes:
        queries: (q, d) float32.
        database: (n, d) float32.
        depth: length of the rankings; 0: all, among distractors 10,000.
        names: what messages call the methods, by kind.
        distractors: (n_i, d) arrays that stay on disk; their ids follow the database.
        labelled: per query the ids that its ground truth names; only used with distractors.
        places: per query where these are in the whole ranking, after ``search_all``.
        reranking, expansion: None leaves the stage out.
    """

    queries: Floats
    database: Floats
    depth: int
    names: Mapping[str, str]
    distractors: tuple[NDArray[Any], ...] = ()
    labelled: Sequence[Sequence[int]] = ()
    places: Sequence[Mapping[int, int]] = ()
    reranking: Reranking | None = field(default=None)
    expansion: FittedExpansion | None = field(default=None)

    def search(self, part: slice) -> Ranking:
        """The ranking of some queries by inner product."""
        if self.distractors:
            return search_blocks(self.queries[part], self.database, self.distractors, self.depth or _DEPTH).ranking
        return search(self.queries[part], self.database, self.depth)

    def search_all(self) -> Ranking:
        """All queries; with distractors also the places of what the ground truth names."""
        if not self.distractors:
            return self.search(slice(None))
        depth = self.depth or _DEPTH
        found = search_blocks(self.queries, self.database, self.distractors, depth, labelled=self.labelled)
        rows = zip(self.labelled, found.places, strict=True)
        self.places = [dict(zip(ids, map(int, places), strict=True)) for ids, places in rows]
        return found.ranking

    @property
    def size(self) -> int:
        """Images searched."""
        return len(self.database) + sum(map(len, self.distractors))

    @property
    def descriptor_bytes(self) -> float:
        """Mean over the images."""
        parts = (self.database, *self.distractors)
        return float(sum(part.nbytes for part in parts)) / self.size

    def rerank(self, positions: range, ranking: Ranking) -> Ranking:
        """The ranking of these queries with its top reordered."""
        if self.reranking is None:
            return ranking
        rows = [Ranking(ranking.indices[[i]], ranking.scores[[i]]) for i in range(len(positions))]
        return stacked(self.reranking.apply(query, row) for query, row in zip(positions, rows, strict=True))

    def expand(self, part: slice, ranking: Ranking) -> Ranking:
        """The ranking of some queries after expansion."""
        if self.expansion is None:
            return ranking
        queries = self.queries[part]
        expanded = self.expansion.expand(queries, ranking)
        return require_ranking(self.names["expansion"], expanded, len(queries), self.size)

    def seconds(self, n: int) -> NDArray[np.float64]:
        """Time of each of the first ``n`` queries alone; the first is answered once before, to warm up."""
        times = []
        for query in (0, *range(n)):
            part = slice(query, query + 1)
            start = time.perf_counter()
            self.expand(part, self.rerank(range(query, query + 1), self.search(part)))
            times.append(time.perf_counter() - start)
        return np.array(times[1:])

    @property
    def reranking_bytes(self) -> float:
        """Mean over the images that were described for the re-ranker."""
        if self.reranking is None or not self.reranking.database:
            return 0.0
        return float(np.mean([stored_bytes(features) for features in self.reranking.database.values()]))


def labelled(truth: Mapping[str, Any]) -> list[int]:
    """All ids that the ground truth of a query names."""
    return [int(i) for label in ("easy", "hard", "junk") for i in truth.get(label, ())]
