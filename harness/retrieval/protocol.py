"""The options of the retrieval task; imports nothing slow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt

from harness.core.errors import InvalidInput


@dataclass(frozen=True)
class RetrievalProtocol:
    """How images are read, searched and scored.

    Attributes:
        image_size: longest side of an image in pixels; smaller images stay as they are.
        scales: factors at which the network sees an image; their descriptors are combined.
        scale_power: exponent of the generalised mean over scales; other than 1 only for non-negative descriptors.
        ks: ranks at which precision is measured.
        depth: length of the rankings; 0 ranks the whole database.
    """

    image_size: Annotated[int, Ge(1)] = 1024  # Radenovic et al. 2018, §6
    scales: tuple[float, ...] = (1.0,)  # cirtorch, test.py
    scale_power: Annotated[float, Gt(0)] = 1.0  # cirtorch, test.py:137-143
    ks: tuple[int, ...] = (1, 5, 10)  # Radenovic et al. 2018 (revisited Oxford and Paris), §2
    depth: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        _require(self.image_size >= 1, "image_size", self.image_size, "at least 1 pixel")
        _require(
            bool(self.scales) and all(0 < scale < math.inf for scale in self.scales) and _unique(self.scales),
            "scales",
            self.scales,
            "different factors above 0",
        )
        _require(0 < self.scale_power < math.inf, "scale_power", self.scale_power, "above 0")
        _require(all(k >= 1 for k in self.ks) and _unique(self.ks), "ks", self.ks, "different ranks of at least 1")
        _require(self.depth >= 0, "depth", self.depth, "0 for the whole database, or a number of images")


def _unique(values: tuple[float, ...]) -> bool:
    return len(set(values)) == len(values)


def _require(holds: bool, name: str, value: object, right: str) -> None:
    if not holds:
        raise InvalidInput(f"{name} = {value} is not allowed", fix=right)
