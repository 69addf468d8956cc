"""What was computed last, in memory: for methods of a plan that ask for the same in turn."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.core.cost import Cost, count_earlier, measured

T = TypeVar("T")


class _Known(NamedTuple, Generic[T]):
    content: bytes
    value: T
    cost: Cost


class Latest(Generic[T]):
    """The last value of a function of one array, known by the array's content and what else the function takes.

    Whoever finds it has in the costs being measured what it took to compute. Values must not be written to.

    Args:
        function: gives the same for the same array, in the thread that asks.
    """

    def __init__(self, function: Callable[..., T]) -> None:
        self._function = function
        self._known: _Known[T] | None = None
        _ALL.add(self)

    def of(self, array: NDArray[Any], *numbers: int) -> T:
        """The value for an array and numbers: that of the call before, where they are equal."""
        content, known = _content(array, numbers), self._known
        if known is not None and known.content == content:
            count_earlier(known.cost.wall_s, known.cost.cpu_s, known.cost.peak_bytes)
            return known.value
        with measured() as cost:
            value = self._function(array, *numbers)
        self._known = _Known(content, value, cost)
        return value

    def forget(self) -> None:
        """Compute what is asked for next."""
        self._known = None


_ALL: Final[weakref.WeakSet[Latest[Any]]] = weakref.WeakSet()


def forget_all() -> None:
    """Compute all that is asked for next: for runs that must take nothing from what was computed before."""
    for latest in _ALL:
        latest.forget()


def _content(array: NDArray[Any], numbers: tuple[int, ...]) -> bytes:
    digest = hashlib.sha256(f"{array.shape} {array.dtype.str} {numbers}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.digest()
