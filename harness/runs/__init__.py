"""From a spec to records: read, check, plan, run, keep. Reading records loads nothing of what runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.core.lazy import lazy_names

if TYPE_CHECKING:
    from harness.runs.record import Record as Record
    from harness.runs.runner import run as run

__getattr__, __dir__ = lazy_names(__name__, {"Record": "harness.runs.record", "run": "harness.runs.runner"})
