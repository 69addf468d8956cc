"""Supervised whitening: make matching pairs alike, then keep the directions in which the rest differs most."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt

from harness.core.errors import InvalidInput
from harness.search import unit_rows
from harness_whitening.linear import (
    Doubles,
    LinearWhitening,
    mean_of,
    require_descriptors,
    scatter_of,
)
from harness_whitening.shrinkage import RECOMMENDED, Shrink, share

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Supervised:
    """Simultaneous diagonalisation on matching pairs (Mikolajczyk and Matas 2007; thesis eq. 5.11-5.12).

    Formula:
        y = V^T C_S^-1/2 (x - m), then y / |y|
        C_S: covariance of differences within matching pairs
        V: eigenvectors of C_S^-1/2 C_D C_S^-1/2, C_D over the pairs that do not match

    Attributes:
        dim: dimensions kept; 0 keeps all.
        shrink: share of the mean variance within pairs mixed into each variance, for few pairs; ``oas`` (Chen et al.
            2010) and ``ledoit-wolf`` (2004) estimate it from the pairs; ``auto``: as the preset says.
        eps: variances within pairs below this share of the largest are lifted to it; the number of those above is the
            ``rank`` of the learnt whitening. Preset ``released-code`` adds the smallest 1e-10 * 10^k that makes the
            covariance positive definite instead.
        preset: ``thesis`` centres on the mean of all descriptors and rotates by the covariance of non-matching pairs.
            ``released-code`` centres on the mean of each pair's first descriptor and rotates by the scatter of all.
            Neither shrinks; ``recommended`` is ``thesis`` with ``oas``.
        learn_on: name of a retrieval set, as in a spec, of whose database and pairs it is learnt in place of the one
            that is searched; both are described alike, and once.
    """

    result_version: ClassVar[int] = 2

    dim: Annotated[int, Ge(0)] = 0
    shrink: Shrink = "auto"
    eps: Annotated[float, Gt(0)] = 1e-6
    preset: Literal["thesis", "released-code", "recommended"] = "recommended"
    learn_on: str = field(default="", metadata={"later": True})

    def fit(self, descriptors: NDArray[np.float32], pairs: NDArray[np.int64] | None = None) -> LinearWhitening:
        """Learn from (n, D) float32 and matching pairs (p, 2) int64.

        Raises:
            InvalidInput: no pairs, pairs of an image with itself or out of range, no descriptors, not finite, or
                ``dim`` above D.
        """
        require_descriptors(descriptors, self.dim)
        pairs = _checked(pairs, len(descriptors))
        if self.preset != "released-code":
            pairs = np.unique(np.sort(pairs, axis=1), axis=0)  # eq. 5.12 sums over a set; the code over a list
        first, second = (unit_rows(descriptors[column], dtype=np.float64) for column in pairs.T)
        differences = first - second
        within = differences.T @ differences / len(pairs)
        shrinkage = self._shrinkage(within, differences)
        within = (1 - shrinkage) * within + shrinkage * np.trace(within) / len(within) * np.eye(len(within))
        whitening, rank = self._inverse_root(within)
        if self.preset != "released-code":
            mean = mean_of(descriptors)
            scatter = _between(descriptors, mean, differences)
        else:
            mean = first.mean(0)
            scatter = scatter_of(descriptors, mean)
        _, directions = np.linalg.eigh(whitening @ scatter @ whitening.T)
        kept = directions[:, ::-1][:, : self.dim or len(mean)]
        return LinearWhitening(mean, kept.T @ whitening, rank, len(mean) - rank, shrinkage)

    def _shrinkage(self, within: Doubles, differences: Doubles) -> float:
        automatic = RECOMMENDED if self.preset == "recommended" else "none"
        shrink = automatic if self.shrink == "auto" else self.shrink
        if not isinstance(shrink, str):
            return shrink
        fourth = float(((differences**2).sum(1) ** 2).sum())
        return share(shrink, np.linalg.eigvalsh(within).astype(np.float64, copy=False), len(differences), fourth)

    def _inverse_root(self, within: Doubles) -> tuple[Doubles, int]:
        """A matrix P with P within P^T = 1, as far as ``within`` has full rank, and its rank."""
        variances, directions = np.linalg.eigh(within)
        floor = self.eps * variances[-1]
        rank = int((variances > floor).sum()) if variances[-1] > 0 else 0
        if self.preset == "released-code":
            return np.linalg.inv(_cholesky(within)).astype(np.float64), rank
        if rank == 0:
            return np.eye(len(within)), rank
        return (directions / np.sqrt(np.maximum(variances, floor))).T, rank


def _checked(pairs: NDArray[np.int64] | None, n: int) -> NDArray[np.int64]:
    if pairs is None or len(pairs) == 0:
        raise InvalidInput(
            "supervised whitening needs matching pairs, and this dataset has none", fix='whitening "pca" needs no pairs'
        )
    pairs = np.asarray(pairs)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise InvalidInput(f"pairs of shape {pairs.shape} are not (p, 2) ids", fix=f"ids between 0 and {n - 1}")
    if pairs.min() < 0 or pairs.max() >= n:
        wrong = pairs.min() if pairs.min() < 0 else pairs.max()
        raise InvalidInput(f"pairs name image {wrong}, there are {n}", fix=f"ids between 0 and {n - 1}")
    if (pairs[:, 0] == pairs[:, 1]).any():
        raise InvalidInput("a pair matches an image with itself", fix="pairs of two different images")
    return pairs


def _between(descriptors: NDArray[np.float32], mean: Doubles, differences: Doubles) -> Doubles:
    """Covariance (eq. 5.12) over the ordered pairs that do not match, from the sum over all pairs less the matching."""
    n = len(descriptors)
    others = n * (n - 1) - 2 * len(differences)
    return (2 * n * scatter_of(descriptors, mean) - 2 * differences.T @ differences) / max(others, 1)


def _cholesky(matrix: Doubles) -> Doubles:
    """Lower factor of the matrix, with the least of 0, 1e-10, 1e-9, ... added that makes it positive definite."""
    added = 0.0
    while True:
        try:
            return np.linalg.cholesky(matrix + added * np.eye(len(matrix))).astype(np.float64)
        except np.linalg.LinAlgError:
            added = 10 * added or 1e-10  # cirtorch, whiten.py:50-65
