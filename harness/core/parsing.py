"""Parsing by several threads at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
_TRIES: Final = 5


def unraced(read: Callable[[], T]) -> T:
    """What ``read`` returns, called again where Python confuses threads that parse at the same time.

    Python 3.11 counts the depth of syntax trees once for all threads and raises ``SystemError`` where two meet (CPython
    issue 106905). numpy parses the header of every array that it reads.
    """
    for _ in range(_TRIES - 1):
        try:
            return read()
        except SystemError:
            continue
    return read()
