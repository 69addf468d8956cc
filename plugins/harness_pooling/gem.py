"""GeM: the generalised mean of each map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from annotated_types import Gt

from harness_pooling.maps import require_maps

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK_CELLS: Final = 1_600_000
"""Cells worked on at once: few enough for the temporaries to stay in the processor's cache, and enough for the threads
of one operation not to wait for each other most of the time."""

_PRODUCTS: Final = range(4, 17)
"""Exponents for which repeated multiplication is faster than torch's power, which has short cuts up to 3."""


@dataclass(frozen=True)
class GeM:
    """Generalised mean of each map (Radenovic et al. 2018; thesis eq. 2.13).

    Formula:
        f_c = (1/(H W) sum_hw x_chw^p)^(1/p)

    Attributes:
        p: exponent; 1 is SPoC, ``inf`` is MAC. Any size: the maximum is factored out, so that no power overflows.
        eps: lowest activation with preset ``released-code``.
        preset: ``thesis`` pools the activations as they are: an empty map gives 0. ``released-code`` lifts every
            activation to ``eps`` first: an empty map gives ``eps``, so all blank images get the same descriptor.
    """

    p: Annotated[float, Gt(0)] | Literal["inf"] = 3.0  # Radenovic et al. 2018, §5: initial value
    eps: Annotated[float, Gt(0)] = 1e-6  # cirtorch, functional.py:21
    preset: Literal["thesis", "released-code"] = "thesis"

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        return power_mean(maps, float(self.p), self.lowest)

    @property
    def lowest(self) -> float:
        """Value to which smaller activations are lifted."""
        return 0.0 if self.preset == "thesis" else self.eps


def power_mean(maps: Tensor, p: float, lowest: float = 0.0) -> Tensor:
    """Generalised mean over the last two dimensions, ``(mean of max(maps, lowest)^p)^(1/p)``.

    Args:
        maps: (..., C, H, W) float32.
        p: exponent, above 0, may be infinite.
        lowest: activations below count as this; not negative.

    Returns:
        (..., C) float32, differentiable; the gradient of an empty map is zero.

    Raises:
        InvalidInput: H = 0 or W = 0.
    """
    import torch

    require_maps(maps)
    if p == float("inf"):
        return maps.amax((-2, -1)).clamp(min=lowest)
    rows = maps.flatten(-2).reshape(-1, maps.shape[-2] * maps.shape[-1])
    block = min(len(rows), max(1, _BLOCK_CELLS // rows.shape[1]))
    # Reused buffers spare fresh memory for every block; autograd needs its intermediate values to stay.
    differentiable = torch.is_grad_enabled() and maps.requires_grad
    buffers = None if differentiable else rows.new_empty(2, block, rows.shape[1])
    means = [
        _power_mean(group, p, lowest, *((None, None) if buffers is None else buffers[:, : len(group)]))
        for group in torch.split(rows, max(block, 1))
    ]
    return torch.cat(means).reshape(maps.shape[:-2])


def _power_mean(rows: Tensor, p: float, lowest: float, values_out: Tensor | None, power_out: Tensor | None) -> Tensor:
    import torch

    tiny = torch.finfo(rows.dtype).tiny
    values = torch.clamp(rows, min=lowest, out=values_out)
    # The result does not depend on the scale: no gradient need pass through it.
    scale = values.detach().amax(-1, keepdim=True).clamp(min=tiny)
    values = torch.div(values, scale, out=values_out)
    mean = _power(values, p, power_out).mean(-1)
    # An empty row would have an infinite gradient under the root: below the clamp it is zero.
    return mean.clamp(min=tiny).pow(1 / p) * scale[:, 0] * (mean > 0)


def _power(values: Tensor, p: float, out: Tensor | None) -> Tensor:
    import torch

    if p not in _PRODUCTS:
        return torch.pow(values, p, out=out)
    result = values
    for bit in f"{int(p):b}"[1:]:
        result = torch.mul(result, result, out=out)
        if bit == "1":
            result = torch.mul(result, values, out=out)
    return result
