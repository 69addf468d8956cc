"""What is compared: the harness against installed peers and against what one would write first, on the same input.

A comparison is added by a function that makes the input and returns what both sides do; they stand in ``rows``. Both
must give the same result: ``same`` raises where they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.search import unit_rows

Work = Callable[[], Any]


@dataclass(frozen=True)
class Comparison:
    """Two ways to one result.

    Attributes:
        ours: of the harness.
        peer: the other one.
        same: raises ``AssertionError`` unless the results of both, in this order, are the same.
        repeat: how often each is called for one time.
        threads: of torch; 0: all.
        rounds: at most so many pairs are timed; 0: as many as the others.
    """

    ours: Work
    peer: Work
    same: Callable[[Any, Any], None]
    repeat: int = 1
    threads: int = 0
    rounds: int = 0


@dataclass(frozen=True)
class Described:
    """What the table says of a comparison.

    Attributes:
        name: what is computed.
        size: of the input.
        peer: what it is compared with.
        package: whose version is shown; empty: code of this folder.
        same: in what the results agree.
        make: makes it.
        least: ratio that a quiet machine holds, whichever it is; the gate fails where the whole interval lies below.
        aim: milliseconds that ours should take on two cores; 0: none. Printed, never written down.
    """

    name: str
    size: str
    peer: str
    package: str
    same: str
    make: Callable[[], Comparison]
    least: float = 1
    aim: float = 0


COMPARISONS: list[Described] = []


def agree(same: object, what: str) -> None:
    """Raise ``AssertionError`` unless the results are the same."""
    if not same:
        raise AssertionError(f"results differ: {what}")


def compared(
    name: str, size: str, peer: str, same: str, package: str = "", least: float = 1, aim: float = 0
) -> Callable[[Callable[[], Comparison]], Callable[[], Comparison]]:
    """Add a comparison to the list."""

    def add(make: Callable[[], Comparison]) -> Callable[[], Comparison]:
        COMPARISONS.append(Described(name, size, peer, package, same, make, least, aim))
        return make

    return add


def clustered(n: int, d: int, groups: int = 500, noise: float = 0.8) -> Any:
    """Rows of length 1 around some directions."""
    rng = np.random.default_rng(0)
    centres = unit_rows(rng.standard_normal((groups, d)))
    spread = noise / np.sqrt(d) * rng.standard_normal((n, d), dtype=np.float32)
    return unit_rows(centres[rng.integers(groups, size=n)] + spread)


MANY = 50_000
"""Rows of what takes seconds."""
FEW_ROUNDS = 6
"""Pairs of what takes seconds: as few as an interval of 95% needs."""
