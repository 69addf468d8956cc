"""Query expansion by a mean weighted with a power of the similarity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge

from harness_expansion.order import search
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids, Ranking

_MOST: Final = 50  # Radenovic et al. 2018, §5 (nQE)


@dataclass(frozen=True)
class AlphaQE:
    """Query replaced by its mean with its top images, weighted by similarity^alpha (Radenovic et al. 2018).

    Formula:
        q' = q + sum of max(<q, x_i>, 0)^alpha x_i over the first k images, at unit length
        recommended, of n images: k = n / 50 from 3 to 50

    Attributes:
        k: images taken from the top of the ranking; 0 changes nothing; ``auto``: as the preset says.
        alpha: exponent of the similarity; 0 weighs all images alike, as ``aqe`` does. Above 0 an image with a
            negative similarity weighs nothing.
        preset: ``recommended`` bounds k by the size of the database, ``thesis`` takes 50 as published.
    """

    result_version: ClassVar[int] = 3  # k by the size of the database without a query's own image

    k: Annotated[int, Ge(0)] | Auto = "auto"
    alpha: Annotated[float, Ge(0)] = 3.0  # Radenovic et al. 2018, §5
    preset: Literal["thesis", "recommended"] = "recommended"

    def fit(self, database: Floats) -> FittedAlphaQE:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        return FittedAlphaQE(database, self.k_of, self.alpha)

    def k_of(self, n: int) -> int:
        """The number ``k`` for a database of n images."""
        return k_of(self.k, n, 50, 3, _MOST, bounded=self.preset == "recommended")


@dataclass(frozen=True)
class FittedAlphaQE:
    """Query expansion over one database (n, d); ``k_of`` says how many images are taken from one of n."""

    database: Floats
    k_of: Callable[[int], int]
    alpha: float
    left_out: Ids | None = None

    @property
    def k(self) -> int:
        """Images taken from the top of a ranking: by the size of the database without what is left out."""
        return self.k_of(len(self.database) - (0 if self.left_out is None else len(self.left_out)))

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Search again with the expanded queries (q, d): a ranking as deep as the one given.

        Which images are averaged is what the ranking says, re-ranked or not; how much they weigh is what their
        descriptors say.
        """
        if self.k == 0:
            return ranking
        from harness.search import unit_rows

        k = self.k
        expanded = [self._expanded(query, top[:k]) for query, top in zip(queries, ranking.indices, strict=True)]
        return search(
            unit_rows(np.reshape(expanded, queries.shape)), self.database, ranking.indices.shape[1], self.left_out
        )

    def without(self, images: Ids) -> FittedAlphaQE:
        """As if these images (m,) were not in the database: no ranking holds them."""
        return replace(self, left_out=images)

    def _expanded(self, query: Floats, ranked: NDArray[np.int64]) -> NDArray[Any]:
        """Sum (d,) float64 of one query and its weighted images (k,), which has the direction of the mean."""
        images = self.database[ranked].astype(np.float64)
        weights = similarity_weights(images @ query.astype(np.float64), self.alpha)
        return np.asarray(query + weights @ images)


def similarity_weights(similarities: NDArray[Any], alpha: float) -> NDArray[Any]:
    """``max(similarity, 0) ** alpha``, and 1 for all if alpha is 0."""
    return np.maximum(similarities, 0) ** alpha if alpha else np.ones_like(similarities)
