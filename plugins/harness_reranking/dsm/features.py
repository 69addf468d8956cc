"""What is stored of an image for spatial matching."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

_PER_FEATURE: Final = ("channels", "scales", "positions", "covariances", "strengths", "seeds")


@dataclass(frozen=True)
class Features:
    """Local features of one image, by scale.

    Attributes:
        channels: (n,) int32, the visual word.
        scales: (n,) uint8, ascending: which map of the image a feature lies in.
        positions: (n, 2) float32 x, y in cells of that map; the centre of the first cell is (0, 0).
        covariances: (n, 3) float32 xx, xy, yy in cells squared: the ellipse of one standard deviation.
        strengths: (n,) float32, the largest activation.
        seeds: (n,) int32 cell y * W + x: the region is the connected part around it of cells that are not weaker.
        sizes: (s, 2) int32 height and width of the map at every scale.
        gain: factor from activations to the 255 steps in which regions were sought.
        turns: (s,) degrees, counterclockwise, by which the image of a map was turned; None: by none.
    """

    channels: NDArray[np.int32]
    scales: NDArray[np.uint8]
    positions: NDArray[np.float32]
    covariances: NDArray[np.float32]
    strengths: NDArray[np.float32]
    seeds: NDArray[np.int32]
    sizes: NDArray[np.int32]
    gain: float
    turns: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.channels)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(getattr(self, name).nbytes for name in (*_PER_FEATURE, "sizes"))

    def take(self, chosen: NDArray[np.int64]) -> Features:
        """The features at these positions, in this order; scales must stay ascending."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in _PER_FEATURE})

    def in_pixels(self, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions (n, 2) and covariances (n, 3) in pixels of an image of this width and height.

        A map covers its image evenly, so a cell stands for the middle of its part: exact for networks that pool, half
        a cell off for those that convolve with a stride.
        """
        scales = self.scales.astype(np.int64)
        views = np.array(size, np.float64)
        if self.turns is not None:
            views = np.array([view_size(size, turn) for turn in self.turns])[scales]
        x, y = (cells := views / self.sizes[scales, ::-1]).T
        positions = (self.positions + 0.5) * cells - 0.5
        covariances = self.covariances * np.stack([x * x, x * y, y * y], axis=1)
        if self.turns is None:
            return positions, covariances
        return turned_back(positions, covariances, np.radians(self.turns[scales]), views, np.array(size, np.float64))


def view_size(size: tuple[int, int], degrees: float) -> tuple[int, int]:
    """Width and height of the smallest canvas for an image of this width and height that was turned."""
    if degrees % 90 == 0:
        return size if degrees % 180 == 0 else (size[1], size[0])
    cosine, sine = abs(np.cos(np.radians(degrees))), abs(np.sin(np.radians(degrees)))
    return int(np.ceil(size[0] * cosine + size[1] * sine)), int(np.ceil(size[1] * cosine + size[0] * sine))


def turned_back(
    positions: Doubles, covariances: Doubles, angles: Doubles, views: Doubles, size: Doubles
) -> tuple[Doubles, Doubles]:
    """Positions (n, 2) and covariances (n, 3) in turned images, as they are in the image.

    Args:
        positions: in pixels of a view.
        covariances: xx, xy, yy.
        angles: (n,) radians by which the view of each was turned, counterclockwise.
        views: (n, 2) width and height of the view.
        size: (2,) width and height of the image.
    """
    cosine, sine = np.cos(angles), np.sin(angles)
    u, v = (positions - (views - 1) / 2).T
    xx, xy, yy = covariances.T
    middle = (size - 1) / 2
    turned = np.stack([u * cosine - v * sine, u * sine + v * cosine], axis=1) + middle
    square, mixed, other = cosine**2, cosine * sine, sine**2
    return turned, np.stack(
        [
            square * xx - 2 * mixed * xy + other * yy,
            mixed * (xx - yy) + (square - other) * xy,
            other * xx + 2 * mixed * xy + square * yy,
        ],
        axis=1,
    )


def join(scales: list[Features]) -> Features:
    """One set of features from one per scale (at least one)."""
    names = (*_PER_FEATURE, "sizes")
    arrays: dict[str, Any] = {name: np.concatenate([getattr(each, name) for each in scales]) for name in names}
    return replace(scales[0], **arrays)
