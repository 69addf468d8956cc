"""The largest activations of the quarters of a map. Loads torch: import it where a network is built."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LargestOfQuarters(nn.Module):
    """Maps (B, C, h, w) -> (B, 4 C): adaptive max pooling to 2 x 2, flattened.

    Quarters of maps with an odd side overlap. CUDA adds up the gradients of what two of them share in any order: on
    other devices than the CPU each quarter is a reduction of its own, and torch adds up one gradient after the other.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        if maps.device.type == "cpu":
            return nn.functional.adaptive_max_pool2d(maps, 2).flatten(1)
        return one_by_one(maps)


def one_by_one(maps: Tensor) -> Tensor:
    """The same, quarter by quarter: equal values, and equal gradients up to the order in which they are added up."""
    sides = [(slice(0, -(-side // 2)), slice(side // 2, side)) for side in maps.shape[-2:]]
    quarters = [maps[..., rows, columns].flatten(2).max(2).values for rows in sides[0] for columns in sides[1]]
    return torch.stack(quarters, dim=2).flatten(1)
