"""Average query expansion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from annotated_types import Ge

from harness_expansion.alphaqe import FittedAlphaQE
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    from harness.plugin_api import Floats

_MOST: Final = 10


@dataclass(frozen=True)
class AQE:
    """Query replaced by its mean with the descriptors of its top images (Chum et al. 2007).

    Formula:
        q' = q + sum of x_i over the first k images, at unit length
        recommended, of n images: k = n / 100 from 1 to 10

    Attributes:
        k: images taken from the top of the ranking; 0 changes nothing; ``auto``: as the preset says.
        preset: ``recommended`` bounds k by the size of the database, ``thesis`` takes 10.
    """

    result_version: ClassVar[int] = 3  # k by the size of the database without a query's own image

    k: Annotated[int, Ge(0)] | Auto = "auto"
    preset: Literal["thesis", "recommended"] = "recommended"

    def fit(self, database: Floats) -> FittedAlphaQE:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        return FittedAlphaQE(database, self.k_of, alpha=0.0)

    def k_of(self, n: int) -> int:
        """The number ``k`` for a database of n images."""
        return k_of(self.k, n, 100, 1, _MOST, bounded=self.preset == "recommended")
