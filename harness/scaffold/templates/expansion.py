"""A query expansion for vision-evaluation-harness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from harness.plugin_api import Ranking

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids


@dataclass(frozen=True)
class MyMethod:
    """Query replaced by its mean with its first answers, weighted by rank (say here who invented it, and when).

    Formula:
        q' = q + sum_i x_i / (i + 1) over the first k answers i = 1, ..., k

    Attributes:
        k: answers that are averaged; 0 searches with the query as it is.
    """

    k: Annotated[int, Ge(0)] = 3

    def fit(self, database: Floats) -> FittedMyMethod:
        """Prepare for a database (n, d) float32 of L2-normalised descriptors. Never sees a query."""
        return FittedMyMethod(database, self.k)


@dataclass(frozen=True)
class FittedMyMethod:
    """A query expansion bound to a database (n, d) float32."""

    database: Floats
    k: int

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Answer again, each query on its own: the other queries must not matter.

        Args:
            queries: (q, d) float32.
            ranking: ``indices`` (q, depth) int64, best first, and ``scores`` (q, depth) float32; ``verified`` weights
                from re-ranking, or None.

        Returns:
            A ranking of the same shape; each image once in a row, scores never rise.
        """
        indices, scores = np.empty_like(ranking.indices), np.empty_like(ranking.scores)
        for row, (query, answers) in enumerate(zip(queries, ranking.indices, strict=True)):
            indices[row], scores[row] = self._search(query, answers)
        return Ranking(indices, scores)

    def _search(self, query: Floats, answers: Ids) -> tuple[Ids, Floats]:
        weights = 1 / np.arange(2, 2 + min(self.k, len(answers)))
        mean = query + weights @ self.database[answers[: self.k]]
        unit = mean / max(float(np.linalg.norm(mean)), 1e-12)
        similarities = np.asarray(self.database @ unit, np.float32)
        order = np.argsort(-similarities, kind="stable")[: len(answers)]
        return order, similarities[order]
