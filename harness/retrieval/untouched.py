"""Methods may read the descriptors that they are given, not change them: what a stage changes, all later ones see.

Compiled code has other versions for read-only arrays, so a checksum before and after says it instead of a flag. It also
sees what is written through views and through tensors that share the memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import ContractError


@contextmanager
def untouched(name: str, *arrays: NDArray[Any]) -> Iterator[None]:
    """Raises ``ContractError`` with the method's name where one of the arrays has changed inside."""
    before = [_checksum(array) for array in arrays]
    yield
    if before != [_checksum(array) for array in arrays]:
        raise ContractError(f"{name} changed the descriptors that it was given", fix="change a copy: array.copy()")


def _checksum(array: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).data.cast("B")) if array.size else 0
