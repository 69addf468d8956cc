"""From a spec to records: read, check, plan, run, keep."""

from __future__ import annotations

from harness.runs.record import Record
from harness.runs.runner import run

__all__ = ["Record", "run"]
