"""Numbers of neighbours and a spread that suit the size of a database; docs/expansion.md says how they were chosen."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal, NamedTuple

from annotated_types import Ge, Lt

Auto = Literal["auto"]
Spread = Annotated[float, Ge(0), Lt(1)] | Auto
"""How far similarity spreads."""

FARTHEST: Final = 0.99  # Iscen et al. 2017, released code


class Sizes(NamedTuple):
    """Neighbours in the graph, seeds of a query, and how far similarity spreads."""

    k: int
    kq: int
    alpha: float


def share_of(n: int, share: int, least: int, most: int) -> int:
    """One for every ``share`` of n, from ``least`` to ``most``."""
    return min(most, max(least, n // share))


def k_of(stated: int | Auto, n: int, share: int, least: int, most: int, *, bounded: bool = True) -> int:
    """The number stated; for ``auto`` the ``share_of`` n, or ``most`` where the size is not to bound it."""
    if stated != "auto":
        return stated
    return share_of(n, share, least, most) if bounded else most


def alpha_of(n: int) -> float:
    """1 - 2 / sqrt(n), from 0 to 0.99.

    A walk that goes on with probability alpha takes 1 / (1 - alpha) steps: half of sqrt(n), and 100 from 40,000 on.
    """
    return min(FARTHEST, max(0.0, 1 - 2 / math.sqrt(max(n, 1))))


def stated_or(stated: tuple[Any, Any, Any], automatic: Sizes) -> Sizes:
    """The sizes stated, and in place of each ``auto`` the automatic one."""
    k, kq, alpha = (other if own == "auto" else own for own, other in zip(stated, automatic, strict=True))
    return Sizes(int(k), int(kq), float(alpha))
