"""What a board does with runs that failed or were not run.

A failed run never becomes a number. It stays on the board: its row shows how many of the expected runs gave a result
(``1 of 2``), the reason stands in the headline cell where no run of the row did, and every different reason is a note
below the table. Means, intervals and costs are those of the runs that are done. A method that lacks queries or seeds
which most others have is shown but gets no rank. A method that failed where it did not before closes the gate
(``harness.boards.comparison.gate``).

A run that gave a result and speaks against it (equal descriptors, a model that does not know its own labels) keeps its
number, with a mark and a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from harness.runs.record import Record

NOT_RUN: Final = "not run"


def done(records: Iterable[Record]) -> list[Record]:
    """The records that have a result."""
    return [record for record in records if record.status == "done"]


def failure_notes(records: Sequence[Record]) -> tuple[str, ...]:
    """Why runs have no result, each reason once: ``failed: no memory``, ``timed out: ...``, ``not run``."""
    failed = {(r.failure.code, r.failure.message) for r in records if r.status != "done" and r.failure}
    notes = [f"{_verb(code)}: {message or code}" for code, message in sorted(failed)]
    missing = any(record.status != "done" and not record.failure for record in records)
    return (*notes, NOT_RUN) if missing else tuple(notes)


def doubt_notes(records: Iterable[Record]) -> tuple[str, ...]:
    """What the runs of a row say against their own numbers (``doubts`` of their details), in one sentence."""
    results = done(records)
    doubtful = [record.details["doubts"] for record in results if record.details.get("doubts")]
    if not doubtful:
        return ()
    which = f"{len(doubtful)} of {len(results)} runs are doubtful, for instance" if len(results) > 1 else "doubtful"
    return (f"{which}: {doubtful[0][0]}",)


def incomplete_note(shared: int, task: str) -> str:
    """Why a method with results is not ranked: the others were compared on units that it lacks."""
    unit = "queries" if task == "retrieval" else "seeds"
    return f"not compared: it lacks some of the {shared} {unit} that the others have"


def _verb(code: str) -> str:
    return "timed out" if "timeout" in code.lower().replace("-", "").replace("_", "") else "failed"
