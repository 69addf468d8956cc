"""Which components of a mixture stay, compiled. Loads numba: import this module where work is done."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


@njit(cache=True)
def kept_components(order: Any, weights: Doubles, centres: Doubles, variances: Doubles, overlap: float) -> Any:
    """Positions of the components that stay, in ``order``; see ``Detection.purged``.

    All inner products are divided by the component's weight.
    """
    kept = np.empty(len(order), np.int64)
    count = 0
    for k in order:
        own = weights[k] / (2 * np.sqrt(variances[k, 0] * variances[k, 1]))
        left = own * (1 - overlap) / overlap
        for position in range(count):
            j = kept[position]
            height, width = variances[k, 0] + variances[j, 0], variances[k, 1] + variances[j, 1]
            dy, dx = centres[k, 0] - centres[j, 0], centres[k, 1] - centres[j, 1]
            left -= weights[j] * np.exp(-0.5 * (dy * dy / height + dx * dx / width)) / np.sqrt(height * width)
            if left < 0:
                break
        if left >= 0:
            kept[count] = k
            count += 1
    return kept[:count]
