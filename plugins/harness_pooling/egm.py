"""Expanding Gaussian mixture: a saliency map becomes a few rectangles (thesis 5.3.4; Avrithis and Kalantidis 2012)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Lt

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_pooling.regions import Region

    Doubles = NDArray[np.float64]

_CELL: Final = 1 / 12
"""Variance of a cell in itself: added to every component's, so that none shrinks to a point and a component that is
uniform on a rectangle has the rectangle's variance."""

_STILL: Final = 0.01
"""A mixture has come to rest when no centre and no standard deviation moves by more cells than this."""

_NEGLIGIBLE: Final = 1e-280
"""Densities below are computed again by their logarithms: products of two float64 exponentials would underflow."""


class Mixture(NamedTuple):
    """Components, the heaviest first: ``weights`` (m,), ``centres`` and ``variances`` (m, 2) in cells, y before x."""

    weights: Doubles
    centres: Doubles
    variances: Doubles


@dataclass(frozen=True)
class Detection:
    """Salient rectangles of a map: mask, exponent, expanding Gaussian mixture (thesis 5.3.4, 5.4.1).

    Attributes:
        exponent: of the saliency, to raise its contrast; ``auto``: as the method says, 7 of feature saliency.
        threshold: cells below it are masked out.
        mask: what the threshold is compared with: ``absolute``, the map as it is (the thesis's words, but the size of
            the map then decides, and on object saliency the scale of the centrality); ``before``, the map divided by
            its peak; ``after``, that raised to the exponent.
        sigma: variance in cells of the Gaussian of a cell.
        overlap: a component is purged below this share of itself in its overlap with heavier ones. Up to 0.5 exact
            duplicates stay.
        iterations: at most; the mixture usually rests after 5 to 15.
        weight_samples: weigh cells by their saliency in the M-step. As printed (false), saliency acts through the
            initial weights and the support only.
        variance_about: whether variances are taken about the ``new`` centre (standard EM) or the ``old`` one.
        kappa: half-sides of a rectangle in standard deviations; the root of 3 is exact for a uniform rectangle.
        regions: at most so many, the heaviest; 0: all.
    """

    exponent: Annotated[float, Gt(0)] | Literal["auto"] = "auto"
    threshold: Annotated[float, Ge(0), Lt(1)] = 0.01  # thesis 5.4.1
    mask: Literal["absolute", "before", "after"] = "after"
    sigma: Annotated[float, Gt(0)] = 2.5  # thesis 5.4.2
    overlap: Annotated[float, Gt(0), Lt(1)] = 0.6
    iterations: Annotated[int, Ge(1)] = 30
    weight_samples: bool = True
    variance_about: Literal["new", "old"] = "new"
    kappa: Annotated[float, Gt(0)] = 3**0.5
    regions: Annotated[int, Ge(0)] = 0

    @property
    def contrast(self) -> float:
        """The exponent of the saliency."""
        return 7.0 if self.exponent == "auto" else self.exponent  # thesis 5.4.2

    def detect(self, saliency: NDArray[Any]) -> list[Region]:
        """Regions of a map (H, W), at least one, the most salient first; the whole map where nothing is salient.

        Raises:
            InvalidInput: not two-dimensional, no cell, or a value that is negative or not finite.
        """
        return self.weighed(saliency)[0]

    def weighed(self, saliency: NDArray[Any]) -> tuple[list[Region], Doubles]:
        """As ``detect``, with the weight of each region's component in the mixture, above 0."""
        samples = self.samples(saliency)
        if not samples.any():
            return [(0, 0, *samples.shape)], np.ones(1)
        mixture = self.mixture(samples)
        regions = self.rectangles(mixture, samples.shape)
        return regions, mixture.weights[: len(regions)]

    def samples(self, saliency: NDArray[Any]) -> Doubles:
        """The map (H, W) masked and raised to the exponent: at most 1, 0 where nothing is salient."""
        salient = np.asarray(saliency, np.float64)
        if salient.ndim != 2 or not salient.size:
            raise InvalidInput(f"a saliency map of shape {salient.shape} has no regions", fix="(H, W) with H, W >= 1")
        peak = float(salient.max())
        if not (np.isfinite(peak) and salient.min() >= 0):
            raise InvalidInput("a saliency map has negative or infinite values or NaN", fix="0 or more, finite")
        relative = salient / (peak or 1.0)
        powers = relative**self.contrast
        judged = {"absolute": salient, "before": relative, "after": powers}[self.mask]
        return np.where(judged >= self.threshold, powers, 0.0)

    def mixture(self, samples: Doubles) -> Mixture:
        """The mixture that comes to rest on ``samples`` (H, W), which are not empty."""
        return list(self.evolution(samples))[-1]

    def evolution(self, samples: Doubles) -> Iterator[Mixture]:
        """The initial mixture, and that of each expectation, maximisation and purge until it rests."""
        cells = np.stack(np.nonzero(samples), axis=1).astype(np.float64)
        weights = samples[samples > 0]
        weight = samples / weights.sum() if self.weight_samples else (samples > 0) / len(weights)
        mixture = Mixture(weights / weights.sum(), cells, np.full_like(cells, self.sigma))
        yield mixture
        for _ in range(self.iterations):
            before = mixture
            mixture = self.purged(maximised(mixture, weight, self.sigma, self.variance_about == "new"))
            yield mixture
            if _at_rest(before, mixture):
                break

    def purged(self, mixture: Mixture) -> Mixture:
        """The components that do not overlap with heavier ones, by descending weight; of equals the first comes first.

        A component q stays where ``|q|^2 / (|q|^2 + sum of <q, kept>)`` is at least ``overlap``.
        """
        from harness_pooling.purging import kept_components

        kept = kept_components(np.argsort(-mixture.weights, kind="stable"), *mixture, self.overlap)
        weights = mixture.weights[kept]
        return Mixture(weights / weights.sum(), mixture.centres[kept], mixture.variances[kept])

    def rectangles(self, mixture: Mixture, shape: tuple[int, ...]) -> list[Region]:
        """Rectangles with half-sides of ``kappa`` standard deviations, clipped to the map; at least one cell each."""
        count = self.regions or len(mixture.weights)
        middle = mixture.centres[:count] + 0.5
        half = self.kappa * np.sqrt(mixture.variances[:count])
        limit = np.array(shape)
        first = np.clip(np.rint(middle - half), 0, limit - 1).astype(int)
        last = np.clip(np.rint(middle + half), first + 1, limit).astype(int)
        return [(y, x, h, w) for (y, x), (h, w) in zip(first.tolist(), (last - first).tolist(), strict=True)]


def _at_rest(before: Mixture, after: Mixture) -> bool:
    if len(before.weights) != len(after.weights):
        return False
    moves = np.abs(before.centres - after.centres), np.abs(np.sqrt(before.variances) - np.sqrt(after.variances))
    return max(float(move.max()) for move in moves) <= _STILL


def maximised(mixture: Mixture, weight: Doubles, sigma: float, about_new: bool) -> Mixture:
    """One expectation and maximisation (thesis eq. 5.5-5.8) with the share ``weight`` (H, W) of each cell.

    The inner product of a cell's and a component's Gaussian is a density N(cell | centre, variance + sigma). As the
    covariance is diagonal it is a factor of the row times a factor of the column: all sums over cells and components
    are matrix products, and only rows + columns exponentials a component are computed.
    """
    wide = mixture.variances + sigma
    y, x = (np.arange(size) - mixture.centres[:, axis, None] for axis, size in enumerate(weight.shape))
    rows = np.exp(y**2 * (-0.5 / wide[:, :1])) * (mixture.weights / np.sqrt(wide.prod(1)))[:, None]
    columns = np.exp(x**2 * (-0.5 / wide[:, 1:]))
    density = rows.T @ columns
    reached = density > _NEGLIGIBLE
    ratio = np.divide(weight, density, out=np.zeros_like(density), where=reached)
    by_row, by_column = rows * (columns @ ratio.T), columns * (rows @ ratio)
    sums = by_row.sum(axis=1)
    first = np.stack([_sums(by_row, y), _sums(by_column, x)], axis=1)
    second = np.stack([_sums(by_row, y * y), _sums(by_column, x * x)], axis=1)
    if (far := ~reached & (weight > 0)).any():
        more = _far_sums(mixture, wide, np.stack(np.nonzero(far), axis=1), weight[far])
        sums, first, second = sums + more[0], first + more[1], second + more[2]
    alive = sums > 0
    share = np.where(alive, sums, 1)[:, None]
    shift = first / share
    variances = second / share - (shift**2 if about_new else 0)
    result = Mixture(sums / sums.sum(), mixture.centres + shift, np.maximum(variances, 0) + _CELL)
    return Mixture(*(values[alive] for values in result))


def _sums(values: Doubles, factors: Doubles) -> Doubles:
    sums: Doubles = np.einsum("kc,kc->k", values, factors)
    return sums


def _far_sums(mixture: Mixture, wide: Doubles, cells: Any, weight: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """What cells far from every component add: by logarithms, one cell and component at a time."""
    offsets = cells[:, None, :] - mixture.centres
    logs = np.log(mixture.weights) - 0.5 * (np.log(wide).sum(1) + (offsets**2 / wide).sum(2))
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares *= (weight / shares.sum(axis=1))[:, None]
    first, second = (np.einsum("ck,ckd->kd", shares, power) for power in (offsets, offsets**2))
    return shares.sum(axis=0), first, second
