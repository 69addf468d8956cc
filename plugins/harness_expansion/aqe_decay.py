"""Query expansion by a mean whose weights fall with the rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge

from harness_expansion.rewritten import FittedRewrite
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats

    Doubles = NDArray[np.float64]

_MOST: Final = 8  # released code of a common implementation (qe_reranking.py)


@dataclass(frozen=True)
class AQEDecay:
    """Query replaced by its mean with its top images, weighted by rank (AQEwD; Gordo et al. 2017).

    Time O(n d) a query.

    Formula:
        q' = q + sum of (k + 1 - r) / (k + 1) x_r over the first k images, r = 1 ... k, at unit length
        recommended, of n images: k = n / 50 from 2 to 8

    Attributes:
        k: images taken from the top of the ranking; 0 searches again with the query as it is; ``auto``: as the preset
            says.
        preset: ``recommended`` bounds k by the size of the database, ``released-code`` takes 8.
    """

    result_version: ClassVar[int] = 2  # k by the size of the database

    k: Annotated[int, Ge(0)] | Auto = "auto"
    preset: Literal["released-code", "recommended"] = "recommended"

    def k_of(self, n: int) -> int:
        """The number ``k`` for a database of n images."""
        return k_of(self.k, n, 50, 2, _MOST, bounded=self.preset == "recommended")

    def fit(self, database: Floats) -> FittedRewrite:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        k = self.k_of(len(database))

        def mean(query: Doubles, best: Doubles, _: Doubles) -> Doubles:
            return np.asarray(query + rank_weights(k, len(best)) @ best)

        return FittedRewrite(database, mean, k)


def rank_weights(k: int, count: int) -> NDArray[Any]:
    """(k + 1 - r) / (k + 1) of the ranks r = 1 ... count."""
    return (k - np.arange(count)) / (k + 1)
