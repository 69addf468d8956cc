"""A query replaced by a vector made of it and of images of its ranking, with which the database is searched again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_expansion.order import search

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids, Ranking

    Doubles = NDArray[np.float64]
    Rewrite = Callable[[Doubles, Doubles, Doubles], Doubles | None]
    """The query (d,), the best images of its ranking (k, d) and the worst (m, d), best first -> the new query (d,) of
    any length, or None for the one before."""


@dataclass(frozen=True)
class FittedRewrite:
    """A rule that makes new queries, bound to a database (n, d).

    Attributes:
        database: (n, d) float32.
        rule: makes the new query.
        best: images from the top of the ranking that the rule sees.
        worst: images from its end that the rule sees. The end is that of the whole ranking, also of one that is cut.
    """

    database: Floats
    rule: Rewrite
    best: int
    worst: int = 0

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Search again with the new queries (q, d): a ranking as deep as the one given."""
        from harness.search import unit_rows

        ends = _ends(queries, self.database, ranking.indices, self.worst)
        new = queries.copy()
        for row, (query, ranked, end) in enumerate(zip(queries, ranking.indices, ends, strict=True)):
            best = ranked[: self.best]
            last = end[~np.isin(end, best)]
            rows = (self.database[ids].astype(np.float64) for ids in (best, last))
            if (rewritten := self.rule(query.astype(np.float64), *rows)) is not None:
                new[row] = unit_rows(rewritten[None])[0]
        return search(new, self.database, ranking.indices.shape[1])


def _ends(queries: Floats, database: Floats, indices: Ids, count: int) -> Ids:
    """The last ``count`` images (q, count) of each ranking (q, k), in its order; of a cut one those that it lacks."""
    n, count = len(database), min(count, len(database))
    if indices.shape[1] == n or not count:
        return indices[:, indices.shape[1] - count :]
    # The last of equals has the highest index: the database backwards.
    lowest = search(-queries, np.ascontiguousarray(database[::-1]), count).indices
    ends: Ids = n - 1 - lowest[:, ::-1]
    return ends
