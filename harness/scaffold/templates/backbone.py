"""A backbone for vision-evaluation-harness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MyMethod:
    """Colours and edges on a grid, nothing learnt (say here who invented it, and when).

    Formula:
        means over cells of x and 1 - x for each colour, and of |dx| and |dy| between neighbouring pixels

    Attributes:
        cell: side of a cell of the grid in pixels.
    """

    cell: Annotated[int, Gt(0)] = 8

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map."""
        return self.cell

    def maps(self, image: Tensor) -> Tensor:
        """Make the feature maps of one image, which may be as small as one pixel.

        Args:
            image: (3, H, W) float32 in [0, 1], RGB.

        Returns:
            (C, h, w) float32, finite, not negative, with h, w >= 1.
        """
        import torch
        from torch.nn.functional import avg_pool2d, pad

        right = pad((image[:, :, 1:] - image[:, :, :-1]).abs(), (0, 1, 0, 0))
        down = pad((image[:, 1:] - image[:, :-1]).abs(), (0, 0, 0, 1))
        channels = torch.cat([image, 1 - image, right, down])
        # The last cell of a row or column may be smaller: its mean is that of the pixels that are there.
        return avg_pool2d(channels[None], self.cell, ceil_mode=True)[0]
