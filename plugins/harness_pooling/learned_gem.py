"""GeM with the exponent that a network was trained with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.core.errors import InvalidInput
from harness.data.checkpoint import checked_sum, read_checkpoint
from harness_pooling.gem import power_mean

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LearnedGeM:
    """Generalised mean of each map, exponent from a checkpoint of Radenovic et al. 2018 (cirtorch; thesis eq. 2.13).

    Formula:
        f_c = (1/(H W) sum_hw x_chw^p)^(1/p), p from the file

    Attributes:
        weights: path of the checkpoint.
        checksum: its SHA-256; filled in from the file where it is not given, so that the content of the file is a part
            of every key.
    """

    result_version: ClassVar[int] = 2  # generalised means in float64
    any_device: ClassVar[bool] = True

    weights: Path
    checksum: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "checksum", checked_sum(self.weights, self.checksum))

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32.

        Raises:
            InvalidInput: the checkpoint holds no exponent, or H = 0 or W = 0.
            DataMissing, DataDamaged: the checkpoint cannot be read.
        """
        p = read_checkpoint(self.weights, self.checksum).p
        if p is None:
            raise InvalidInput(f"{self.weights} holds no exponent of GeM", fix="gem: {p: 3}")
        return power_mean(maps, p)
