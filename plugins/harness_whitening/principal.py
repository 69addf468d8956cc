"""Principal directions of descriptors: decomposed once for whitenings that learn from the same descriptors in turn."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from harness.cache.latest import Latest
from harness_whitening.linear import Doubles, Floats, mean_of, scatter_of


class Principal(NamedTuple):
    """What varies in n descriptors; the arrays cannot be written to.

    Attributes:
        mean: (D,) of the normalised rows.
        variances: (D,) along the directions, descending, not negative.
        directions: (D, D), one a column.
    """

    mean: Doubles
    variances: Doubles
    directions: Doubles


def _decomposed(descriptors: Floats) -> Principal:
    mean = mean_of(descriptors)
    variances, directions = np.linalg.eigh(scatter_of(descriptors, mean) / len(descriptors))
    found = Principal(mean, np.maximum(variances[::-1], 0), directions[:, ::-1])
    for array in found:
        array.setflags(write=False)
    return found


PRINCIPAL: Final = Latest(_decomposed)
"""Of descriptors (n, D), at least one row, finite."""
