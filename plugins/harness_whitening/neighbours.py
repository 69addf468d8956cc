"""How much descriptors differ from their nearest neighbours along each direction: no labels, yet mostly one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness_whitening.linear import Doubles, Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ASKED: Final = 4096
"""Descriptors whose neighbours are looked for, at most; among all."""
_PASSES: Final = 2
"""Neighbours of the centred descriptors, then of those whitened by the first. A third changes little."""
_FLOOR: Final = 1e-10
"""Least share of the largest variance."""


def within_neighbours(descriptors: Floats, mean: Doubles, directions: Doubles, shrinkage: float) -> Doubles | None:
    """Variance (d,) between nearest neighbours along each direction, shrunk.

    Args:
        descriptors: (n, D); rows of zeros take no part.
        mean: (D,) of the normalised rows.
        directions: (D, d) orthonormal.
        shrinkage: share of the mean over all D directions mixed into each variance.

    Returns:
        None where no descriptor differs from its nearest neighbour.
    """
    from harness.search import unit_rows

    centred = unit_rows(descriptors[descriptors.any(1)]) - mean.astype(np.float32)
    if len(centred) < 2:
        return None
    asked = np.unique(np.linspace(0, len(centred) - 1, min(len(centred), _ASKED)).astype(np.int64))
    compared, scales = unit_rows(centred), None
    for _ in range(_PASSES):
        differences = (centred[asked] - centred[_nearest(compared, asked)]).astype(np.float64)
        total = (differences**2).sum() / 2 / len(asked) / len(mean)
        if total == 0:
            return None
        along = ((differences @ directions) ** 2).mean(0) / 2
        scales = (1 - shrinkage) * along + shrinkage * total
        scales = np.maximum(scales, _FLOOR * scales.max())
        compared = unit_rows(centred @ (directions / np.sqrt(scales)).astype(np.float32))
    return scales


def _nearest(rows: Floats, asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row (q,) most similar to each of those asked for, other than itself."""
    from harness.search import top_k

    best = top_k(rows[asked], rows, 2).indices.astype(np.int64)
    return np.where(best[:, 0] == asked, best[:, 1], best[:, 0])
