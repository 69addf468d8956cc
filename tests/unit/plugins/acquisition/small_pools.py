"""The cases on which methods are compared with slow references."""

from __future__ import annotations

import pytest

from harness_evidence.pools import small_pool

__all__ = ["CASES", "SEVERAL", "small_pool"]

CASES = [(seed, "") for seed in range(200)] + [
    (seed, kind) for kind in ("duplicates", "certain", "equal", "zeros", "no label") for seed in range(8)
]
SEVERAL = pytest.mark.parametrize(
    "cases", [CASES[::12], pytest.param(CASES, marks=pytest.mark.slow)], ids=["some", "all"]
)
"""A few of them always, all of them where time does not count."""
