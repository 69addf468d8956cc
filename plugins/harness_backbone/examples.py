"""A module for the backbone ``module`` to be tried on by ``harness check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Module


def some_module() -> Module:
    """Two convolutions, stride 4, 8 maps."""
    from torch import nn

    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1))
