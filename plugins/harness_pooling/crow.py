"""CroW: cells weighted by how active they are, maps by how rarely they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness_pooling.maps import active_share, require_maps

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class CroW:
    """Sum of each map under spatial and channel weights (Kalantidis et al. 2016; thesis 2.5).

    The spatial weight of a cell is the root of its share of all activation; the weight of a map is the logarithm of how
    seldom it is active (0 for a map that never is). Maps without any activation give zeros.

    Formula:
        f_c = b_c sum_hw a_hw x_chw
        a_hw = sqrt(S_hw / |S|), S_hw = sum_c x_chw
        b_c = ln(sum_k Q_k / Q_c), Q_c the share of active cells of map c
    """

    any_device: ClassVar[bool] = True

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        import torch

        require_maps(maps)
        weighted = torch.einsum("...chw,...hw->...c", maps, _spatial_weights(maps))
        return weighted * _channel_weights(maps)


def _spatial_weights(maps: Tensor) -> Tensor:
    """(..., C, H, W) -> (..., H, W): sqrt(S / ||S||), S the sum over maps (a = b = 2, Kalantidis et al. 2016, §4.1)."""
    import torch

    total = maps.sum(-3).clamp(min=0)
    norm = torch.linalg.vector_norm(total, dim=(-2, -1), keepdim=True)
    share = total / norm.clamp(min=torch.finfo(maps.dtype).tiny)
    # The root's gradient is infinite at 0: empty cells are kept out of it.
    active = share > 0
    return torch.where(active, torch.where(active, share, 1).sqrt(), 0)


def _channel_weights(maps: Tensor) -> Tensor:
    """(..., C, H, W) -> (..., C): log(sum of Q / Q), Q the share of active cells; 0 for a map without any."""
    import torch

    active = active_share(maps)
    weights = torch.log(active.sum(-1, keepdim=True) / active.clamp(min=torch.finfo(maps.dtype).tiny))
    return torch.where(active > 0, weights, 0)
