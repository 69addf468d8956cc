"""Results to compare, wherever they come from (``harness.runs.targets`` finds them)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.runs.record import Record


@dataclass(frozen=True)
class Results:
    """What was measured: records, or the content of a leaderboard in JSON where the records are not kept.

    Attributes:
        name: how messages call it.
        records: of a folder, a file or a spec; planned runs without a record are there as ``missing``.
        boards: of a ``results.json``, as ``harness leaderboard --format json`` writes them.
    """

    name: str
    records: tuple[Record, ...] = ()
    boards: tuple[Mapping[str, Any], ...] = ()
