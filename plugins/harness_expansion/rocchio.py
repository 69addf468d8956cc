"""Rocchio's relevance feedback, with the ranking in place of a user's judgement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from annotated_types import Ge

from harness_expansion.rewritten import FittedRewrite
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.plugin_api import Floats

    Doubles = NDArray[np.float64]

_MOST: Final = 10  # as aqe


@dataclass(frozen=True)
class Rocchio:
    """Query moved towards the mean of the first images and away from that of the last ones (Rocchio 1971).

    Time O(n d) a query.

    Formula:
        q' = alpha q + beta mean of the first k images - gamma mean of the last m images, at unit length

    Attributes:
        k: images taken from the top of the ranking; 0: none; ``auto``: of n images n / 100, from 1 to 10.
        m: images taken from its end; 0: none. None of the first k is among them.
        alpha: weight of the query.
        beta: weight of the first images.
        gamma: weight of the last images.
    """

    result_version: ClassVar[int] = 2  # k by the size of the database

    k: Annotated[int, Ge(0)] | Auto = "auto"
    m: Annotated[int, Ge(0)] = 10
    alpha: Annotated[float, Ge(0)] = 1.0  # Manning et al. 2008, §9.1.1
    beta: Annotated[float, Ge(0)] = 0.75  # Manning et al. 2008, §9.1.1
    gamma: Annotated[float, Ge(0)] = 0.15  # Manning et al. 2008, §9.1.1

    def k_of(self, n: int) -> int:
        """The number ``k`` for a database of n images."""
        return k_of(self.k, n, 100, 1, _MOST)

    def fit(self, database: Floats) -> FittedRewrite:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        return FittedRewrite(database, self._moved, self.k_of(len(database)), self.m)

    def _moved(self, query: Doubles, best: Doubles, worst: Doubles) -> Doubles:
        moved = self.alpha * query
        if len(best):
            moved = moved + self.beta * best.mean(axis=0)
        if len(worst):
            moved = moved - self.gamma * worst.mean(axis=0)
        return moved
