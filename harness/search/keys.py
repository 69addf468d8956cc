"""Scores and numbers of images as one number each, which orders them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Keys = NDArray[np.uint64]

LAST: Final = np.uint64(2**32 - 1)
"""The number of the image is taken from it: of equal scores the lowest number has the largest key."""


def keys_of(scores: Floats, indices: int | Ids) -> Keys:
    """Keys of scores (..., w), as ``kernels.key_of`` has them; ``indices`` (w,), or the first of them."""
    ids = np.arange(indices, indices + scores.shape[-1]) if isinstance(indices, int) else indices
    bits = (scores + np.float32(0)).view(np.uint32)  # 0 for -0: they are equal
    upper = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
    return (upper << np.uint64(32)) | (LAST - ids.astype(np.uint64))


def decoded(keys: Keys) -> tuple[Ids, Floats]:
    """Indices and scores of keys; the score of no key (0) is minus infinity."""
    upper = (keys >> np.uint64(32)).astype(np.uint32)
    scores = np.where(upper >> 31, upper ^ np.uint32(1 << 31), ~upper).view(np.float32)
    return (LAST - (keys & LAST)).astype(np.int64), np.where(keys > 0, scores, np.float32(-np.inf))
