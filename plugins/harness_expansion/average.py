"""Average and weighted query expansion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from harness.protocols import Ranking
from harness_expansion.order import reranked, unit

if TYPE_CHECKING:
    from harness.protocols import Floats

_QUERIES = 64
"""Queries scored at once: bounds the memory to 64 rows of scores."""


@dataclass(frozen=True)
class AverageQueryExpansion:
    """Query replaced by its mean with the descriptors of its top images (Chum et al. 2007).

    Attributes:
        count: number of images; 0 changes nothing.
    """

    count: Annotated[int, Ge(0)] = 10

    def fit(self, database: Floats) -> FittedAverage:
        """Bind to a database (n, d) of L2-normalised descriptors."""
        return FittedAverage(database, self.count, 0.0)


@dataclass(frozen=True)
class AlphaQueryExpansion:
    """Average query expansion with each image weighted by its similarity to a power (Radenovic et al. 2018).

    Attributes:
        count: number of images; 0 changes nothing.
        alpha: exponent of the similarity; 0 is ``aqe``. Negative similarities weigh nothing.
    """

    count: Annotated[int, Ge(0)] = 50  # Radenovic et al. 2018, §4.5
    alpha: Annotated[float, Ge(0)] = 3.0  # Radenovic et al. 2018, §4.5

    def fit(self, database: Floats) -> FittedAverage:
        """Bind to a database (n, d) of L2-normalised descriptors."""
        return FittedAverage(database, self.count, self.alpha)


@dataclass(frozen=True)
class FittedAverage:
    """Query expansion over one database."""

    database: Floats
    count: int
    alpha: float

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Search again with the expanded queries (q, d)."""
        if self.count == 0:
            return ranking
        top = ranking.indices[:, : self.count]
        neighbours = self.database[top].astype(np.float64)
        similarities = np.einsum("qkd,qd->qk", neighbours, queries)
        weights = np.maximum(similarities, 0) ** self.alpha if self.alpha else np.ones_like(similarities)
        expanded = unit(queries + np.einsum("qk,qkd->qd", weights, neighbours))
        parts = [
            reranked(
                expanded[start : start + _QUERIES] @ self.database.T,
                Ranking(ranking.indices[start : start + _QUERIES], ranking.scores[start : start + _QUERIES]),
            )
            for start in range(0, len(queries), _QUERIES)
        ]
        return Ranking(np.concatenate([p.indices for p in parts]), np.concatenate([p.scores for p in parts]))
