"""PCA whitening: directions of largest variance, each scaled to unit variance."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge, Gt

from harness_whitening.linear import LinearWhitening, fourth_of, require_descriptors
from harness_whitening.neighbours import within_neighbours
from harness_whitening.principal import PRINCIPAL
from harness_whitening.shrinkage import RECOMMENDED, Shrink, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PER_DIRECTION: Final = 16
"""Descriptors for each direction kept: many show the same object, and tell no more directions from noise than one."""
_FIRST: Final = ((64, 2), (128, 4))
"""Up to so many directions, so many descriptors each are enough."""


@dataclass(frozen=True)
class PCA:
    """Principal directions, each scaled to unit variance (Jégou and Chum 2012; thesis 2.5).

    Of n descriptors with n <= D, all whitened without regularisation are equally far from each other, and of not many
    more nearly so. The preset ``recommended`` therefore shrinks as much as the descriptors themselves ask for and keeps
    no more directions than they can tell from noise. And what varies most in a database is what tells its groups apart,
    where these are large: it scales by the variance between nearest neighbours, which mostly belong together, as
    ``supervised`` does by that of matching pairs.

    Formula:
        y = L^-1/2 V^T (x - m), then y / |y|
        C = V L V^T the covariance; with shrink s each variance l_d becomes (1 - s) l_d + s mean(l)
        recommended: at most max(n / 16, min(n / 4, 128), min(n / 2, 64), (sum l)^2 / sum l^2) directions,
        and in place of l_d the mean over x of (v_d^T (x - x'))^2 / 2, x' the nearest neighbour of x: first of x - m,
        then of y

    Attributes:
        dim: directions kept, those of largest variance; 0: as many as the preset keeps, ``thesis`` all.
        shrink: share s of the mean variance mixed into each variance; ``oas`` (Chen et al. 2010) and ``ledoit-wolf``
            (2004) estimate it from the descriptors; ``auto``: as the preset says. Directions without variance are left
            out where s is 0; a board marks such a run.
        eps: variances up to this share of the largest count as none.
        variance: that of ``all`` descriptors, or between nearest ``neighbours``; ``auto``: as the preset says.
        preset: ``recommended`` shrinks by ``oas``, limits the directions and scales by neighbours; ``thesis`` does none
            of it.
        learn_on: name of a retrieval set, as in a spec, of whose database it is learnt in place of the one that is
            searched; both are described alike, and once.
    """

    result_version: ClassVar[int] = 3

    dim: Annotated[int, Ge(0)] = 0
    shrink: Shrink = "auto"
    eps: Annotated[float, Gt(0)] = 1e-10
    variance: Literal["auto", "all", "neighbours"] = "auto"
    preset: Literal["thesis", "recommended"] = "recommended"
    learn_on: str = field(default="", metadata={"later": True})

    def fit(self, descriptors: NDArray[np.float32], pairs: NDArray[np.int64] | None = None) -> LinearWhitening:
        """Learn from (n, D) float32; ``pairs`` are not used.

        Raises:
            InvalidInput: no descriptors, not finite, or ``dim`` above D.
        """
        require_descriptors(descriptors, self.dim)
        mean, variances, directions = PRINCIPAL.of(descriptors)
        rank = int((variances > max(self.eps * variances[0], np.finfo(np.float64).tiny)).sum())
        wanted = self.dim or self._directions(variances, len(descriptors))
        if rank == 0:
            warnings.warn("all descriptors are equal: PCA whitening makes them zero", stacklevel=2)
            return LinearWhitening(mean, np.zeros((1, len(mean))), 0)
        shrinkage = share(self._shrink, variances, len(descriptors), fourth_of(descriptors, mean))
        kept = wanted if shrinkage > 0 else min(wanted, rank)
        scales = (1 - shrinkage) * variances[:kept] + shrinkage * variances.mean()
        if self._by_neighbours:
            within = within_neighbours(descriptors, mean, directions[:, :kept], shrinkage)
            scales = scales if within is None else within
        projection = (directions[:, :kept] / np.sqrt(scales)).T
        return LinearWhitening(mean, projection, rank, wanted - kept, shrinkage)

    def _directions(self, variances: NDArray[np.float64], n: int) -> int:
        if self.preset == "thesis":
            return len(variances)
        # The participation ratio of the variances: so many directions of equal variance would be as concentrated.
        ratio = variances.sum() ** 2 / max((variances**2).sum(), np.finfo(np.float64).tiny)
        first = (min(n // each, most) for most, each in _FIRST)
        return int(min(len(variances), max(n // _PER_DIRECTION, *first, ratio, 1)))

    @property
    def _by_neighbours(self) -> bool:
        return self.variance == "neighbours" or (self.variance == "auto" and self.preset == "recommended")

    @property
    def _shrink(self) -> Shrink:
        if self.shrink != "auto":
            return self.shrink
        return RECOMMENDED if self.preset == "recommended" else "none"
