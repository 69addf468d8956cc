"""Fast spatial matching of the features of two images: the pair of scales with the most inliers, and its transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_reranking.dsm.features import Features

    Singles = NDArray[np.float32]

Preset = Literal["recommended", "thesis", "released-code"]

_PRIOR = 6.283  # released code (binary)


@dataclass(frozen=True)
class Match:
    """How a database image matches a query.

    Attributes:
        indices: (m, 2) int64 inliers: feature of the query, feature of the database image.
        transform: (2, 3) float32, position in the query's map -> position in the database image's map, in cells.
        scales: scale of the query and of the database image where the inliers lie.
    """

    indices: NDArray[np.int64]
    transform: Singles
    scales: tuple[int, int]

    @property
    def count(self) -> int:
        """Number of inliers: 0 or at least three, but for a transform that lost some in optimisation."""
        return len(self.indices)


@dataclass(frozen=True)
class Gates:
    """When a correspondence agrees with a transform.

    Attributes:
        preset: the thesis and the released code read the same two numbers differently, see ``shapes`` and below.
            ``recommended`` has the thresholds of the released code, which are tighter, with the thesis' shapes.
        error: threshold on the transfer error in cells. Thesis: the mean of the squares in either direction is below
            its square. Else: their sum is below the number itself, so a mere shift may be 1.0 cells for 2.
        scale_change: largest change of scale against the transform. Thesis: square root of the ratio of determinants.
            Else: the ratio itself; the released code cuts it to an integer.
    """

    preset: Preset = "recommended"
    error: Annotated[float, Gt(0)] = 2.0  # Simeoni et al. 2019 (thesis), §4.4.1
    scale_change: Annotated[float, Ge(1)] = 3.0  # Simeoni et al. 2019 (thesis), §4.4.1

    @property
    def squared_error(self) -> float:
        """Bound on the sum of both squared transfer errors."""
        return 2 * self.error**2 if self.preset == "thesis" else self.error

    @property
    def area_ratio(self) -> float:
        """Bound on the ratio of determinants, and on its inverse."""
        if self.preset == "thesis":
            return self.scale_change**2
        return float(int(self.scale_change)) if self.preset == "released-code" else self.scale_change

    @property
    def prior(self) -> float:
        """Weight of the inliers' shapes in local optimisation; the thesis fits positions only."""
        return _PRIOR if self.preset == "released-code" else 0.0


def shapes(covariances: Singles, preset: Preset = "recommended") -> Singles:
    """Lower triangular (a, b, c), matrix [[a, 0], [b, c]], that maps the unit circle to each ellipse.

    Thesis 4.3.5: the Cholesky factor of the covariance. Released code: the factor of its root once more, so that a
    round region of standard deviation s has the shape sqrt(s); regions along a diagonal have none.

    Args:
        covariances: (n, 3) xx, xy, yy.
        preset: see above; ``recommended`` is as the thesis.

    Returns:
        (n, 3) float32; NaN, which matches nothing, where there is no such shape.
    """
    xx, xy, yy = covariances.astype(np.float64).T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a = np.sqrt(xx)
        b = xy / a
        c = np.sqrt(yy - b * b)
        if preset == "released-code":
            p, q, r = 1 / a, -b / (a * c), 1 / c
            c = 1 / np.sqrt(r)
            a = 1 / np.sqrt(p - q * q / r)
            b = -q * c * c * a
        result = np.stack([a, b, c], axis=1).astype(np.float32)
    result[~np.isfinite(result).all(axis=1)] = np.nan
    return result


def match(query: Features, database: Features, gates: Gates) -> Match:
    """The best of all pairs of scales: the most inliers, the first pair on ties; no inlier and the identity if none.

    Args:
        query: features of the query, found with the role ``query``.
        database: features of the database image.
        gates: when a correspondence agrees.
    """
    best = Match(np.empty((0, 2), np.int64), np.array([[1, 0, 0], [0, 1, 0]], np.float32), (0, 0))
    left, right = _by_scale(query, gates.preset), _by_scale(database, gates.preset)
    for s, query_scale in enumerate(left):
        for t, database_scale in enumerate(right):
            # no more matches than features: most pairs of scales need not be tried
            if min(len(query_scale.geometry), len(database_scale.geometry)) > best.count:
                indices, transform = _match_scale(query_scale, database_scale, gates)
                if len(indices) > best.count:
                    best = Match(indices, transform, (s, t))
    return best


@dataclass(frozen=True)
class _Scale:
    """Features of one scale: (n, 5) x, y, a, b, c; (n,) channels; position of the first among all."""

    geometry: Singles
    channels: NDArray[np.int64]
    start: int


def _by_scale(features: Features, preset: Preset) -> list[_Scale]:
    geometry = np.concatenate([features.positions, shapes(features.covariances, preset)], axis=1)
    channels = features.channels.astype(np.int64)
    borders = np.searchsorted(features.scales, np.arange(len(features.sizes) + 1))
    return [_Scale(geometry[a:b], channels[a:b], int(a)) for a, b in zip(borders[:-1], borders[1:], strict=True)]


def _match_scale(query: _Scale, database: _Scale, gates: Gates) -> tuple[NDArray[np.int64], Singles]:
    """Pairs of feature positions among all features, and the transform; no pair where less than three are possible."""
    from harness_reranking.dsm import fsm

    left, right = fsm.tentatives(query.channels, database.channels)
    if len(left) < 3:
        return np.empty((0, 2), np.int64), np.empty((2, 3), np.float32)
    inliers, transform = fsm.match(
        query.geometry, database.geometry, left, right, gates.squared_error, gates.area_ratio, gates.prior
    )
    pairs = np.stack([left[inliers] + query.start, right[inliers] + database.start], axis=1)
    return pairs, transform[[0, 1, 4, 2, 3, 5]].reshape(2, 3)
