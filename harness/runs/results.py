"""Results, wherever they come from (``harness.runs.targets`` finds them)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, SpecError
from harness.runs.design import Design
from harness.runs.record import Record


@dataclass(frozen=True)
class Results:
    """What was measured: records, or the content of a ``results.json`` where there are no records.

    Attributes:
        name: how messages call it.
        records: of a folder, a file or a spec; planned runs without a record are there as ``missing``.
        boards: of a ``results.json``, as ``harness leaderboard --format json`` writes them.
        title: name of the spec; empty without one.
        description: what the spec says of itself.
        files: run id -> file of its record, of the runs that have one.
        reference: published numbers beside the spec (``reference.yaml``), None where there are none.
        missing: data and files that runs of the spec need and that are not there.
        design: what the spec tests; the default without one.
        columns: that the tables of the spec's boards show; empty for a few that fit.
        folder: of the records of a spec; None without one.
        plugin_warnings: installed plugins that were not loaded, or were written for an older API.
    """

    name: str
    records: tuple[Record, ...] = ()
    boards: tuple[Mapping[str, Any], ...] = ()
    title: str = ""
    description: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)
    reference: Path | None = None
    missing: tuple[HarnessError, ...] = ()
    design: Design = field(default_factory=Design)
    columns: tuple[str, ...] = ()
    folder: Path | None = None
    plugin_warnings: tuple[str, ...] = ()

    def require_records(self, *, written: bool = False) -> tuple[Record, ...]:
        """The records, for commands that cannot do with the boards of a ``results.json``.

        Args:
            written: leave out planned runs that have no record.

        Raises:
            SpecError: there are none.
        """
        if self.boards:
            reason = f"{self.name} holds a leaderboard (results.json) and not the records of its runs"
            raise SpecError(reason, fix="give a spec, a record, or a folder of records; harness run writes them")
        records = tuple(record for record in self.records if not written or record.status != "missing")
        if not records:
            fix = "give a spec, a folder that harness run wrote, or a board of harness merge: board/boards/NAME"
            raise SpecError(f"there are no records in {self.name}", fix=fix)
        return records


def results_of(given: Results | Iterable[Record]) -> Results:
    """What a caller gave as records, as results. Raises ``SpecError`` for a path, which is to be read first."""
    if isinstance(given, Results):
        return given
    if isinstance(given, str | Path):
        raise SpecError(f'"{given}" is a path, where records are needed', fix=f'harness.find_results("{given}")')
    return Results("records", tuple(given))
