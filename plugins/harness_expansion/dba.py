"""Database-side feature augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge

from harness_expansion.alphaqe import similarity_weights
from harness_expansion.order import search
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ranking

_MOST: Final = 10


@dataclass(frozen=True)
class DBA:
    """Each database descriptor replaced by its mean with its neighbours (Arandjelovic and Zisserman 2012).

    Formula:
        x_i' = x_i + sum of max(<x_i, x_j>, 0)^alpha x_j over the k neighbours j of i, at unit length
        recommended, of n images: k = n / 100 from 1 to 10, alpha = 3

    Attributes:
        k: neighbours of an image, itself not counted; 0 changes nothing; ``auto``: as the preset says.
        alpha: exponent of the similarity that weighs a neighbour; 0 weighs all alike. Above 0 a neighbour with a
            negative similarity weighs nothing. ``auto``: as the preset says.
        preset: ``recommended`` bounds k by the size of the database and weighs neighbours by their similarity;
            ``thesis`` takes 10 and weighs them alike.
    """

    result_version: ClassVar[int] = 2  # k by the size of the database, weights by similarity

    k: Annotated[int, Ge(0)] | Auto = "auto"
    alpha: Annotated[float, Ge(0)] | Auto = "auto"
    preset: Literal["thesis", "recommended"] = "recommended"

    def fit(self, database: Floats) -> FittedDBA:
        """The augmented database of (n, d) float32 L2-normalised descriptors; empty descriptors stay empty."""
        n, recommended = len(database), self.preset == "recommended"
        k = k_of(self.k, n, 100, 1, _MOST, bounded=recommended)
        alpha = self.alpha if self.alpha != "auto" else 3.0 if recommended else 0.0
        if k == 0:
            return FittedDBA(database, unchanged=True)
        from scipy.sparse import csr_array

        from harness.graph import neighbours
        from harness.search import unit_rows

        indices, similarities, _ = neighbours(database, min(k, max(n - 1, 1)))
        weights = similarity_weights(similarities, alpha)
        # A blank image is no nearer to its neighbours than to any other, and nothing is learnt from it.
        weights[indices < 0] = weights[~database.any(axis=1)] = 0
        ends = np.arange(n + 1) * indices.shape[1]
        mean = csr_array((weights.ravel(), np.maximum(indices, 0).ravel(), ends), shape=(n, n))
        # Sums in float64: in float32 images with one and the same sum would differ by the order of its terms.
        wide = database.astype(np.float64)
        return FittedDBA(unit_rows(mean.astype(np.float64) @ wide + wide))


@dataclass(frozen=True)
class FittedDBA:
    """An augmented database (n, d); ``unchanged`` where there was nothing to augment."""

    database: Floats
    unchanged: bool = False

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Search the augmented database with the queries (q, d) as they are: a ranking as deep as the one given.

        The ranking itself, and with it a re-ranking before, has no say in the result.
        """
        return ranking if self.unchanged else search(queries, self.database, ranking.indices.shape[1])
