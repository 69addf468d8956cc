"""What the whitenings share: normalised rows, sums over them in float64, and the learnt linear map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import InvalidInput
from harness.search import unit_rows

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_ROWS: Final = 4096
"""Rows converted to float64 at once."""


@dataclass(frozen=True)
class LinearWhitening:
    """A learnt whitening: normalise, centre, project, normalise (thesis eq. 5.11).

    Attributes:
        mean: (D,) float64.
        projection: (d, D) float64.
        rank: in how many directions the training descriptors really varied.
        missing: directions asked for in which they did not, and that no shrinkage makes up for.
        shrinkage: share of the mean variance that was mixed into each variance.
    """

    mean: Doubles
    projection: Doubles
    rank: int
    missing: int = 0
    shrinkage: float = 0.0

    @property
    def report(self) -> Mapping[str, Any]:
        """What a record says of it."""
        return {"rank": self.rank, "missing": self.missing, "shrinkage": self.shrinkage}

    def apply(self, descriptors: Floats) -> Floats:
        """(n, D) float32 -> (n, d) float32, rows of norm 1; a row of zeros (an image without activation) stays zero.

        Raises:
            InvalidInput: another dimension than the one learnt from.
        """
        if descriptors.ndim != 2 or descriptors.shape[1] != len(self.mean):
            raise InvalidInput(
                f"descriptors of shape {descriptors.shape} cannot be whitened", fix=f"shape (n, {len(self.mean)})"
            )
        whitened = np.empty((len(descriptors), len(self.projection)), np.float32)
        for start, rows in _blocks(descriptors):
            projected = (rows - self.mean) @ self.projection.T
            projected[~rows.any(1)] = 0
            whitened[start : start + len(rows)] = unit_rows(projected)
        return whitened


def mean_of(descriptors: Floats) -> Doubles:
    """Mean (D,) of the normalised rows."""
    return sum((rows.sum(0) for _, rows in _blocks(descriptors)), np.zeros(descriptors.shape[1])) / len(descriptors)


def scatter_of(descriptors: Floats, mean: Doubles) -> Doubles:
    """Sum (D, D) over the normalised rows of (x - mean)(x - mean)^T."""
    scatter = np.zeros((len(mean), len(mean)))
    for _, rows in _blocks(descriptors):
        rows -= mean
        scatter += rows.T @ rows
    return scatter


def fourth_of(descriptors: Floats, mean: Doubles) -> float:
    """Sum over the normalised rows of the fourth power of their distance to the mean."""
    return float(sum(((rows - mean) ** 2).sum(1) @ ((rows - mean) ** 2).sum(1) for _, rows in _blocks(descriptors)))


def require_descriptors(descriptors: Floats, dim: int) -> None:
    """Refuse what no whitening can be learnt from.

    Raises:
        InvalidInput: not a table of finite numbers with at least one row, or ``dim`` above its width.
    """
    if descriptors.ndim != 2 or 0 in descriptors.shape:
        raise InvalidInput(
            f"descriptors of shape {descriptors.shape} cannot be learnt from", fix="shape (n, D), n >= 1"
        )
    if not np.isfinite(descriptors).all():
        raise InvalidInput("descriptors to learn a whitening from contain NaN or infinity")
    if dim > descriptors.shape[1]:
        raise InvalidInput(
            f"dim = {dim} is more than the descriptors have",
            fix=f"1 to {descriptors.shape[1]}, or 0 for all",
        )


def _blocks(descriptors: Floats) -> Iterator[tuple[int, Doubles]]:
    for start in range(0, len(descriptors), _ROWS):
        yield start, unit_rows(descriptors[start : start + _ROWS], dtype=np.float64)


def rank(projection: Doubles) -> int:
    """Rank of a projection (d, D), as ``numpy.linalg.matrix_rank`` has it.

    Its singular values take seconds for 2048 dimensions. Where the Gram matrix has a Cholesky factor even after 1e-10
    of its norm is subtracted, the least singular value is above 1e-5 of the largest: the rank is full by any tolerance.
    """
    small = projection if projection.shape[0] <= projection.shape[1] else projection.T
    gram = small @ small.T
    try:
        np.linalg.cholesky(gram - 1e-10 * np.linalg.norm(gram) * np.eye(len(gram)))
    except np.linalg.LinAlgError:
        return int(np.linalg.matrix_rank(projection))
    return len(gram)
