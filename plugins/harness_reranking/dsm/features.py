"""What is stored of an image for spatial matching."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    """

    channels: NDArray[np.int32]
    scales: NDArray[np.uint8]
    positions: NDArray[np.float32]
    covariances: NDArray[np.float32]
    strengths: NDArray[np.float32]
    seeds: NDArray[np.int32]
    sizes: NDArray[np.int32]
    gain: float

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
        cells = np.array(size, np.float64) / self.sizes[self.scales.astype(np.int64), ::-1]
        x, y = cells.T
        positions = (self.positions + 0.5) * cells - 0.5
        return positions, self.covariances * np.stack([x * x, x * y, y * y], axis=1)


def join(scales: list[Features]) -> Features:
    """One set of features from one per scale (at least one)."""
    names = (*_PER_FEATURE, "sizes")
    arrays: dict[str, Any] = {name: np.concatenate([getattr(each, name) for each in scales]) for name in names}
    return replace(scales[0], **arrays)
