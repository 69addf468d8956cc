"""A pooling for vision-evaluation-harness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MyMethod:
    """Mean of the strongest activations of each map (say here who invented it, and when).

    Formula:
        f_c = mean of the ``count`` largest x_chw

    Attributes:
        count: activations of each map that are averaged; 1 is MAC, all of them SPoC.
    """

    count: Annotated[int, Gt(0)] = 10

    def pool(self, maps: Tensor) -> Tensor:
        """Make a global descriptor from feature maps.

        Args:
            maps: (..., C, H, W) float32, not negative; H and W differ from image to image and may be 1.

        Returns:
            (..., D) float32, not normalised; D does not depend on H and W.
        """
        cells = maps.flatten(-2)
        return cells.topk(min(self.count, cells.shape[-1]), dim=-1).values.mean(-1)
