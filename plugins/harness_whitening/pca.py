"""PCA whitening: directions of largest variance, each scaled to unit variance."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from harness_whitening.linear import LinearWhitening, mean_of, require_descriptors, scatter_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PCA:
    """Principal directions, each scaled to unit variance (Jégou and Chum 2012; thesis 2.5).

    Directions in which the descriptors do not vary are left out, with a warning: the output then has fewer than
    ``dim`` dimensions.

    Formula:
        y = L^-1/2 V^T (x - m), then y / |y|
        C = V L V^T the covariance; with shrink s each variance l_d becomes (1 - s) l_d + s mean(l)

    Attributes:
        dim: directions kept, those of largest variance; 0 keeps all.
        shrink: share of the mean variance mixed into each variance, for few descriptors: with n <= D of them and no
            shrinkage, all whitened database vectors are equally far from each other.
        eps: variances up to this share of the largest count as none.
    """

    dim: Annotated[int, Ge(0)] = 0
    shrink: Annotated[float, Ge(0), Le(1)] = 0.0
    eps: Annotated[float, Gt(0)] = 1e-10

    def fit(self, descriptors: NDArray[np.float32], pairs: NDArray[np.int64] | None = None) -> LinearWhitening:
        """Learn from (n, D) float32; ``pairs`` are not used.

        Raises:
            InvalidInput: no descriptors, not finite, or ``dim`` above D.
        """
        require_descriptors(descriptors, self.dim)
        mean = mean_of(descriptors)
        variances, directions = np.linalg.eigh(scatter_of(descriptors, mean) / len(descriptors))
        variances, directions = np.maximum(variances[::-1], 0), directions[:, ::-1]
        rank = int((variances > max(self.eps * variances[0], np.finfo(np.float64).tiny)).sum())
        wanted = self.dim or len(mean)
        if rank == 0:
            warnings.warn("all descriptors are equal: PCA whitening makes them zero", stacklevel=2)
            return LinearWhitening(mean, np.zeros((1, len(mean))), 0)
        if rank < wanted:
            warnings.warn(
                f"PCA whitening: {len(descriptors)} descriptors vary in {rank} directions only, asked for {wanted}",
                stacklevel=2,
            )
        kept = min(wanted, rank)
        scales = (1 - self.shrink) * variances[:kept] + self.shrink * variances.mean()
        return LinearWhitening(mean, (directions[:, :kept] / np.sqrt(scales)).T, rank)
