"""What a plugin offers as evidence: values of a method beside those of a slow, obvious reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Comparison:
    """One small case: what the method computes, and what its reference does.

    Attributes:
        case: what is computed, in a few words: ``p = 2.5``.
        computed: an array of the method under test, or anything that numpy makes one of.
        expected: the same of the reference, in float64 where it is not exact.
        tolerance: share of the largest expected value by which values may differ; 0 for picks, ranks and labels.
    """

    case: str
    computed: Any
    expected: Any
    tolerance: float = 0.0

    @property
    def difference(self) -> float:
        """Largest difference as a share of the largest expected value; infinite where shapes or NaN differ."""
        import numpy as np

        computed, expected = np.asarray(self.computed), np.asarray(self.expected)
        if computed.shape != expected.shape:
            return float("inf")
        if "f" not in (computed.dtype.kind, expected.dtype.kind):
            return 0.0 if np.array_equal(computed, expected) else float("inf")
        left, right = computed.astype(np.float64), expected.astype(np.float64)
        finite = np.isfinite(right)
        if not np.array_equal(left[~finite], right[~finite], equal_nan=True):
            return float("inf")
        gap = float(np.abs(left - right)[finite].max(initial=0.0))
        size = float(np.abs(right[finite]).max(initial=0.0))
        return 0.0 if gap == 0 else gap / size if size else float("inf")

    @property
    def holds(self) -> bool:
        """Whether the method equals its reference within the tolerance."""
        return self.difference <= self.tolerance


Create = Callable[..., Any]
"""Makes the method under test: ``create(p=2.5)``."""

EvidenceFunction = Callable[[Create], Iterator[Comparison]]
Evidence = EvidenceFunction | str | None
"""Cases for ``harness verify``: a function, itself or as ``"module:function"``. The first line of its docstring says
what the reference is. None where there is no reference."""
