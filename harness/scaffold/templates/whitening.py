"""A whitening for vision-evaluation-harness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids


@dataclass(frozen=True)
class MyMethod:
    """Each dimension centred and scaled to unit variance (say here who invented it, and when).

    Formula:
        y_d = (x_d - mean_d) / sqrt(variance_d + eps), then y / |y|

    Attributes:
        eps: added to each variance, so that dimensions that hardly vary are not blown up.
    """

    eps: Annotated[float, Gt(0)] = 1e-3

    def fit(self, descriptors: Floats, pairs: Ids | None = None) -> FittedMyMethod:
        """Learn from the descriptors of the database.

        Args:
            descriptors: (n, D) float32, rows of norm 1 or, for an image without activation, zero.
            pairs: (p, 2) int64 rows that show the same object, where the dataset has them; else None.

        Returns:
            What applies the whitening; ``self`` never changes.
        """
        mean, variance = descriptors.mean(axis=0, dtype=np.float64), descriptors.var(axis=0, dtype=np.float64)
        return FittedMyMethod(mean, 1 / np.sqrt(variance + self.eps))


@dataclass(frozen=True)
class FittedMyMethod:
    """A learnt whitening: mean (D,) and scale (D,) float64."""

    mean: np.ndarray
    scale: np.ndarray

    def apply(self, descriptors: Floats) -> Floats:
        """(n, D) float32 -> (n, d) float32, each row of norm 1; a row of zeros stays zero."""
        found = (descriptors - self.mean) * self.scale
        found[~descriptors.any(axis=1)] = 0
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.where(norms > 0, norms, 1), np.float32)
