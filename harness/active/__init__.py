"""Active learning: a pool, a training scheme, an acquisition; cycles of train, evaluate, acquire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harness.active.pool import Pool
from harness.active.protocol import ActiveProtocol

if TYPE_CHECKING:
    from harness.active.loop import run_cycles

RESULT_VERSION: Final = 4
"""Of the loop, training and splits. Raised when numbers change: docs/explanation/identity.md."""

__all__ = ["ActiveProtocol", "Pool", "run_cycles"]


def __getattr__(name: str) -> Any:
    if name == "run_cycles":
        from harness.active.loop import run_cycles  # loads torch

        return run_cycles
    raise AttributeError(f"module 'harness.active' has no attribute {name!r}")
