"""Average query expansion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from harness_expansion.alphaqe import FittedAlphaQE

if TYPE_CHECKING:
    from harness.plugin_api import Floats


@dataclass(frozen=True)
class AQE:
    """Query replaced by its mean with the descriptors of its top images (Chum et al. 2007).

    Formula:
        q' = q + sum of x_i over the first k images, at unit length

    Attributes:
        k: images taken from the top of the ranking; 0 changes nothing.
    """

    k: Annotated[int, Ge(0)] = 10

    def fit(self, database: Floats) -> FittedAlphaQE:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        return FittedAlphaQE(database, self.k, alpha=0.0)
