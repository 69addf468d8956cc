"""Slow, obvious references of the built-in methods, and small cases on which ``harness verify`` compares the two.

One function per method, named as the method: it takes what makes the method and yields comparisons. References are
written from the published formulas, in float64, one element after the other; nothing here is fast, and no method
imports it. The unit tests use the same references on more cases.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
RNG = np.random.default_rng


def unit(x: Any) -> Array:
    """Rows (..., d) of length 1 in float64; rows of zeros stay."""
    x = np.asarray(x, np.float64)
    lengths = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.asarray(np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0))


def unit_float32(x: Any) -> Array:
    """The same in float32, as descriptors are stored."""
    return np.asarray(unit(x), np.float32)
