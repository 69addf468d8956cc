"""From a spec to records: read, check, plan, run, keep. Reading records loads nothing of what runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.runs.record import Record
    from harness.runs.runner import run

__all__ = ["Record", "run"]


def __getattr__(name: str) -> Any:
    if name == "Record":
        from harness.runs.record import Record

        return Record
    if name == "run":
        from harness.runs.runner import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
