"""Query expansion by a mean weighted with a power of the similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge

from harness_expansion.order import search

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ranking


@dataclass(frozen=True)
class AlphaQE:
    """Query replaced by its mean with its top images, weighted by similarity^alpha (Radenovic et al. 2018).

    Formula:
        q' = q + sum of max(<q, x_i>, 0)^alpha x_i over the first k images, at unit length

    Attributes:
        k: images taken from the top of the ranking; 0 changes nothing.
        alpha: exponent of the similarity; 0 weighs all images alike, as ``aqe`` does. Above 0 an image with a
            negative similarity weighs nothing.
    """

    k: Annotated[int, Ge(0)] = 50  # Radenovic et al. 2018, §5 (nQE)
    alpha: Annotated[float, Ge(0)] = 3.0  # Radenovic et al. 2018, §5

    def fit(self, database: Floats) -> FittedAlphaQE:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        return FittedAlphaQE(database, self.k, self.alpha)


@dataclass(frozen=True)
class FittedAlphaQE:
    """Query expansion over one database (n, d)."""

    database: Floats
    k: int
    alpha: float

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Search again with the expanded queries (q, d): a ranking as deep as the one given.

        Which images are averaged is what the ranking says, re-ranked or not; how much they weigh is what their
        descriptors say.
        """
        if self.k == 0:
            return ranking
        from harness.search import unit_rows

        expanded = [self._expanded(query, top) for query, top in zip(queries, ranking.indices, strict=True)]
        return search(unit_rows(np.reshape(expanded, queries.shape)), self.database, ranking.indices.shape[1])

    def _expanded(self, query: Floats, ranked: NDArray[np.int64]) -> NDArray[Any]:
        """Sum (d,) float64 of one query and its weighted images, which has the direction of the mean."""
        images = self.database[ranked[: self.k]].astype(np.float64)
        weights = similarity_weights(images @ query.astype(np.float64), self.alpha)
        return np.asarray(query + weights @ images)


def similarity_weights(similarities: NDArray[Any], alpha: float) -> NDArray[Any]:
    """``max(similarity, 0) ** alpha``, and 1 for all if alpha is 0."""
    return np.maximum(similarities, 0) ** alpha if alpha else np.ones_like(similarities)
