"""What all poolings ask of feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from torch import Tensor


def require_maps(maps: Tensor) -> None:
    """Refuse what is not (..., C, H, W) with at least one cell.

    Raises:
        InvalidInput: fewer than three dimensions, or H = 0 or W = 0.
    """
    shape = maps.shape
    if len(shape) < 3 or 0 in shape[-2:]:
        raise InvalidInput(f"maps of shape {tuple(shape)} cannot be pooled", fix="maps (..., C, H, W) with H, W >= 1")


def active_share(maps: Tensor) -> Tensor:
    """Share of the cells of each map (..., C, H, W) that are above 0: (..., C), through which no gradient passes."""
    import torch

    # Ones and zeros as numbers at once: truth values would be counted in three times the time.
    active = torch.gt(maps.detach(), 0, out=torch.empty_like(maps, requires_grad=False))
    return active.mean((-2, -1))
