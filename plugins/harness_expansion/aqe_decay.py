"""Query expansion by a mean whose weights fall with the rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge

from harness_expansion.rewritten import FittedRewrite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats

    Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class AQEDecay:
    """Query replaced by its mean with its top images, weighted by rank (AQEwD; Gordo et al. 2017).

    Time O(n d) a query.

    Formula:
        q' = q + sum of (k + 1 - r) / (k + 1) x_r over the first k images, r = 1 ... k, at unit length

    Attributes:
        k: images taken from the top of the ranking; 0 searches again with the query as it is.
    """

    k: Annotated[int, Ge(0)] = 8  # released code of a common implementation (qe_reranking.py)

    def fit(self, database: Floats) -> FittedRewrite:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        return FittedRewrite(database, self._mean, self.k)

    def _mean(self, query: Doubles, best: Doubles, _: Doubles) -> Doubles:
        return np.asarray(query + rank_weights(self.k, len(best)) @ best)


def rank_weights(k: int, count: int) -> NDArray[Any]:
    """(k + 1 - r) / (k + 1) of the ranks r = 1 ... count."""
    return (k - np.arange(count)) / (k + 1)
