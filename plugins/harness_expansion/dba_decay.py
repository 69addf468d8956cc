"""Database-side feature augmentation whose weights fall with the rank of a neighbour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge

from harness_expansion.dba import FittedDBA
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    from harness.plugin_api import Floats

_MOST: Final = 8  # as aqe-decay


@dataclass(frozen=True)
class DBADecay:
    """Each database descriptor replaced by its mean with its neighbours, weighted by rank (Gordo et al. 2017).

    Queries are searched as they are.

    Time O(n^2 d) once, O(n d) a query.

    Formula:
        x_i' = sum of (k - r) / k x_j over the k nearest j of i, r = 0 ... k - 1, i itself first, at unit length
        recommended, of n images: k = 1 + n / 400, at most 8

    Attributes:
        k: images in the mean, the image itself counted; 1 and 0 change nothing; ``auto``: as the preset says.
        preset: ``recommended`` bounds k by the size of the database, so that fewer than 400 images stay as they are;
            ``released-code`` takes 8.
    """

    result_version: ClassVar[int] = 2  # k by the size of the database

    k: Annotated[int, Ge(0)] | Auto = "auto"
    preset: Literal["released-code", "recommended"] = "recommended"

    def k_of(self, n: int) -> int:
        """The number ``k`` for a database of n images."""
        return k_of(self.k, n + 400, 400, 1, _MOST, bounded=self.preset == "recommended")

    def fit(self, database: Floats) -> FittedDBA:
        """The augmented database of (n, d) float32 L2-normalised descriptors; empty descriptors stay empty."""
        k = self.k_of(len(database))
        if k < 2:
            return FittedDBA(database, unchanged=True)
        from harness.graph import neighbours
        from harness.search import unit_rows

        found = neighbours(database, min(k - 1, max(len(database) - 1, 1))).indices
        filled = database.any(axis=1)
        # Sums in float64: in float32 images with one and the same sum would differ by the order of its terms.
        mean = database.astype(np.float64)
        for rank, ids in enumerate(found.T, start=1):
            usable = filled & (ids >= 0)
            mean[usable] += (k - rank) / k * database[ids[usable]]
        return FittedDBA(unit_rows(mean))
