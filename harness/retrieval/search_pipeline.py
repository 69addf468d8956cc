"""What happens when a query arrives: search, re-ranking, expansion. Loads torch and numba."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import InvalidInput
from harness.plugin_api import FittedExpansion, FittedWhitening, Ranking
from harness.plugin_api.contract import require_ranking
from harness.retrieval.canonical import ranks_with_copies
from harness.retrieval.leave_one_out import LeaveOneOut
from harness.retrieval.regions import RegionalExpansion
from harness.retrieval.reranking import BoundReranker
from harness.retrieval.searching import Searcher
from harness.search import top_k

LONGEST: Final = 10_000
"""Length of rankings among distractors where the protocol asks for the whole: what ranks below is counted, not
listed."""

MOST_RANKS: Final = 40_000_000
"""Places of all rankings together up to which they are held whole: about a gigabyte while they are computed."""

Floats = NDArray[np.float32]
LabelRanks = Mapping[int, tuple[int, int]]
"""Id of an image -> rank at which the images with its score start, and how many they are."""


@dataclass
class SearchPipeline:
    """A database ready to be searched; works on any of the queries.

    Attributes:
        queries: (q, d) float32.
        database: (n, d) float32.
        depth: length of the rankings; 0: all, or 10,000 and fewer where they are ``cut``.
        names: what messages call the methods, by kind.
        distractors: (n_i, d) arrays that stay on disk; their ids follow the database.
        reranker, expansion: None leaves the stage out.
        regional: the expansion with the regions of queries, where it works on regions.
        whitening: what descriptors were whitened by.
        leave_one_out: what queries that stand in the database do not see.
        searcher: searches for all queries at once.
        alone: searches for one, as in use, in this process.
        approximate: whether they may miss images.
    """

    queries: Floats
    database: Floats
    depth: int
    names: Mapping[str, str]
    distractors: tuple[NDArray[Any], ...] = ()
    reranker: BoundReranker | None = None
    expansion: FittedExpansion | None = None
    regional: RegionalExpansion | None = None
    whitening: FittedWhitening | None = None
    leave_one_out: LeaveOneOut = field(default_factory=LeaveOneOut)
    searcher: Searcher = top_k
    alone: Searcher = top_k
    approximate: bool = False

    def search(self, rows: slice) -> Ranking:
        """The ranking of some queries by inner product."""
        asked = self._rows(rows)
        search = self.searcher if rows == slice(None) else self.alone
        best = search(self.queries[rows], [self.database, *self.distractors], self._places(asked))
        return self.leave_one_out.searched(asked, Ranking(best.indices, best.scores), self._length)

    def search_labelled(self, labelled: Sequence[Sequence[int]]) -> tuple[Ranking, list[LabelRanks]]:
        """All queries, and per query of each of its ``labelled`` images, listed or not, where its score ranks.

        That is how many images have a larger score, and how many the same.
        """
        if (highest := max((max(ids, default=-1) for ids in labelled), default=-1)) >= len(self.database):
            raise InvalidInput(
                f"image {highest} of the ground truth is not in the database",
                why="distractors are relevant to no query" if self.distractors else "",
                fix=f"ids from 0 to {len(self.database) - 1}",
            )
        asked, own = self._rows(slice(None)), self.leave_one_out.own
        wanted = [[*dict.fromkeys([*labelled[row], *own.get(row, ())])] for row in asked] if own else labelled
        best = self.searcher(self.queries, [self.database, *self.distractors], self._places(asked), ranks_of=wanted)
        found: list[LabelRanks] = [
            {int(image): (larger, same) for image, (larger, same) in zip(ids, row.tolist(), strict=True)}
            for ids, row in zip(wanted, best.ties, strict=True)
        ]
        ranks = [self.leave_one_out.ranks(row, found[row], labelled[row], self.size) for row in asked]
        return self.leave_one_out.searched(asked, Ranking(best.indices, best.scores), self._length), ranks

    def reranked_ranks(self, ranking: Ranking, ranks: Sequence[LabelRanks]) -> list[LabelRanks]:
        """What ``search_labelled`` said of the labelled images, after their re-ranking."""
        if self.reranker is None or not ranks:
            return list(ranks)
        rows, first = zip(ranks, ranking.indices, ranking.tied, strict=True), self.reranker.first
        return [_moved(known, ids, tied, self.reranker.top(ids), first) for known, ids, tied in rows]

    @property
    def cut(self) -> bool:
        """Whether rankings are cut to fit: with distractors, too many places, or a search that lists the best alone.

        What ranks below is counted by an exact search.
        """
        return (
            bool(self.distractors)
            or self.approximate
            or (not self.depth and len(self.queries) * self.size > MOST_RANKS)
        )

    @property
    def _length(self) -> int | None:
        if self.depth or not self.cut:
            return self.depth or None
        return max(1, min(LONGEST, MOST_RANKS // len(self.queries)))

    def rerank(self, queries: range, ranking: Ranking, scores: Sequence[Floats] | None = None) -> Ranking:
        """The ranking of these queries with its top reordered; ``scores`` of their tops where they are known."""
        if (reranker := self.reranker) is None:
            return ranking

        def act(rows: range, given: Ranking) -> Ranking:
            if scores is None:
                return reranker.rerank(given, reranker.scores(rows, given.indices))
            return reranker.rerank(given, scores[rows.start - queries.start : rows.stop - queries.start])

        return self.leave_one_out.apart(queries, ranking, act)

    def without_own(self, ranking: Ranking) -> list[NDArray[np.int64]]:
        """The ids (k,) of each query's ranking without its own images."""
        return [self.leave_one_out.listed(row, ids) for row, ids in enumerate(ranking.indices)]

    def expand(self, rows: slice, ranking: Ranking) -> Ranking:
        """The ranking of some queries after expansion."""
        if self.expansion is None:
            return ranking
        return self.leave_one_out.expanded(self._rows(rows), ranking, self._expand)

    def _expand(self, rows: slice, ranking: Ranking) -> Ranking:
        return self.expanded_by(self.regional or self.expansion, rows, ranking, self.size)

    def expanded_by(self, expansion: Any, rows: slice, ranking: Ranking, size: int) -> Ranking:
        """What an expansion of a database of some size makes of the ranking of some queries."""
        queries = self.queries[rows]
        regional = isinstance(expansion, RegionalExpansion)
        expanded = expansion.expand(rows, ranking) if regional else expansion.expand(queries, ranking)
        return require_ranking(self.names["expansion"], expanded, len(queries), size)

    def _rows(self, rows: slice) -> range:
        return range(len(self.queries))[rows]

    def _places(self, rows: range) -> int | None:
        """Length of a search of these queries that finds as many images beside their own."""
        return self._length and self._length + self.leave_one_out.spare(rows)

    def close(self) -> None:
        """Let go of what a search holds in files."""
        if self.approximate:
            self.searcher.close()  # type: ignore[attr-defined]

    def seconds(self, n: int) -> NDArray[np.float64]:
        """Time of each of the first ``n`` queries alone; the first is run once before, to warm up.

        An expansion is as in use, where no query stands in the database: it is not fitted again without own images.
        """
        as_fitted, times = replace(self, leave_one_out=LeaveOneOut()), []
        for query in (0, *range(n)):
            row = slice(query, query + 1)
            start = time.perf_counter()
            as_fitted.expand(row, self.rerank(range(query, query + 1), self.search(row)))
            times.append(time.perf_counter() - start)
        return np.array(times[1:])

    @property
    def size(self) -> int:
        """Images searched."""
        return len(self.database) + sum(map(len, self.distractors))

    @property
    def bytes_per_image(self) -> float:
        """Mean size of a descriptor, and of what the re-ranker stores."""
        descriptors = sum(array.nbytes for array in (self.database, *self.distractors)) / self.size
        return descriptors + (self.reranker.bytes_per_image if self.reranker else 0.0)


def _moved(
    known: LabelRanks, ids: NDArray[np.int64], tied: NDArray[Any], top: int, first: NDArray[np.int64]
) -> dict[int, tuple[int, int]]:
    """Of a re-ranked list (k,) whose first ``top`` were reordered: those by their new ties, the others below them."""
    listed, end = ranks_with_copies(ids[:top], tied[:top], first, known)
    below = {image: max(start, end) for image, (start, _) in known.items()}
    return {i: listed.get(i, (below[i], start + size - below[i])) for i, (start, size) in known.items()}
