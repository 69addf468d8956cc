"""Whitening of regions, learnt from the regions of a database themselves: a pooling knows no matching pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.core.errors import InvalidInput
from harness.search import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_FLAT: Final = 1e-10
"""Directions of less variance than this share of the largest are left out."""


@dataclass(frozen=True)
class RegionWhitening:
    """Normalise, centre, whiten, normalise (thesis eq. 5.11), by principal components.

    Attributes:
        mean: (C,) float32.
        projection: (d, C) float32.
    """

    mean: Floats
    projection: Floats

    @classmethod
    def learn(cls, blocks: Iterable[Floats], dim: int) -> RegionWhitening:
        """The ``dim`` directions (0: all) of largest variance of all rows, fewer where they vary in fewer.

        Args:
            blocks: descriptors of regions, (n, C) float32 each; read once, and only their moments are kept.
            dim: number of directions.

        Raises:
            InvalidInput: no rows.
        """
        count, total, scatter = 0, np.zeros(0), np.zeros((0, 0))
        for block in blocks:
            rows = unit_rows(block, dtype=np.float64)
            if not count:
                total, scatter = np.zeros(rows.shape[1]), np.zeros((rows.shape[1],) * 2)
            count += len(rows)
            total += rows.sum(axis=0)
            scatter += rows.T @ rows
        if not count:
            raise InvalidInput("a whitening of regions cannot be learnt from none", fix="one image or more")
        mean = total / count
        variances, directions = np.linalg.eigh(scatter / count - np.outer(mean, mean))
        kept = min(dim or len(mean), max(1, int((variances > _FLAT * max(variances[-1], _FLAT)).sum())))
        scales = 1 / np.sqrt(np.maximum(variances[::-1][:kept], _FLAT))
        return cls(mean.astype(np.float32), (directions[:, ::-1][:, :kept] * scales).T.astype(np.float32))

    def apply(self, descriptors: Floats) -> Floats:
        """(n, C) float32 -> (n, d) float32, rows of norm 1; a row of zeros stays zero."""
        whitened = (unit_rows(descriptors) - self.mean) @ self.projection.T
        whitened[~descriptors.any(axis=1)] = 0
        return unit_rows(whitened)
