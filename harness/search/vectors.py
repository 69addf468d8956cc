"""L2 normalisation of rows. Only numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

_ROWS: Final = 8192
"""Rows normalised at a time: their float64 copy stays at 64 MB for 1,024 dimensions."""


def unit_rows(x: ArrayLike, name: str = "x", dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """``x`` (n, d) as C-ordered rows of length 1; rows of zeros stay zero.

    Computed in float64 after division by a power of two near the largest entry of the row, which rounds nothing, so
    that no scale over- or underflows.

    Args:
        x: (n, d) finite numbers.
        name: what to call them in messages.
        dtype: of the result.

    Raises:
        InvalidInput: not two-dimensional, no column, or a row that is not finite.
    """
    array = np.asarray(x)
    if array.ndim != 2 or array.shape[1] == 0:
        raise InvalidInput(f"{name} has shape {array.shape}", fix="pass descriptors of shape (n, d) with d >= 1")
    unit = np.empty(array.shape, dtype)
    for start in range(0, len(array), _ROWS):
        block = array[start : start + _ROWS].astype(np.float64)
        largest = np.abs(block).max(axis=1, keepdims=True)
        if not np.isfinite(largest).all():
            row = start + int(np.flatnonzero(~np.isfinite(largest))[0])
            raise InvalidInput(f"row {row} of {name} is not finite", fix="remove NaN and infinity from the descriptors")
        block = np.ldexp(block, -np.frexp(largest)[1])
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        unit[start : start + _ROWS] = block / np.where(lengths > 0, lengths, 1)
    return unit
