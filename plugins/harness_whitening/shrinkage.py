"""How much to shrink a covariance towards equal variances when descriptors are few, estimated from themselves."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np
from annotated_types import Ge, Le

from harness_whitening.linear import Doubles

Share = Annotated[float, Ge(0), Le(1)]
Shrink = Literal["auto", "oas", "ledoit-wolf", "none"] | Share
"""A share of the mean variance mixed into each variance, or how it is estimated; ``auto``: as the preset says."""

RECOMMENDED: Final[Shrink] = "oas"


def share(shrink: Shrink, variances: Doubles, n: int, fourth: float) -> float:
    """The share that a parameter stands for.

    Args:
        shrink: the parameter, not ``auto``.
        variances: (D,) eigenvalues of the covariance of n centred rows.
        n: rows.
        fourth: sum over the rows of the fourth power of their norm, centred.
    """
    if shrink == "oas":
        return oas(variances, n)
    if shrink == "ledoit-wolf":
        return ledoit_wolf(variances, n, fourth)
    return 0.0 if isinstance(shrink, str) else shrink


def oas(variances: Doubles, n: int) -> float:
    """Oracle approximating shrinkage (Chen et al. 2010, eq. 23 as scikit-learn has it), from 0 to 1."""
    dimension = len(variances)
    square, mean = (variances**2).sum() / dimension**2, variances.mean() ** 2
    denominator = (n + 1) * (square - mean / dimension)
    return 1.0 if denominator <= 0 else float(min(1.0, (square + mean) / denominator))


def ledoit_wolf(variances: Doubles, n: int, fourth: float) -> float:
    """Share of least expected squared error (Ledoit and Wolf 2004), from 0 to 1."""
    distance = ((variances - variances.mean()) ** 2).sum()
    noise = (fourth / n - (variances**2).sum()) / n
    return 1.0 if distance <= 0 else float(np.clip(noise / distance, 0.0, 1.0))
