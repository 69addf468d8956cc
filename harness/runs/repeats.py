"""Failed runs of a test that adds seeds are repeated once, also where the test is interrupted in between."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from harness.core.errors import SpecError
from harness.core.files import write_atomically
from harness.runs.record import Record

FAILURES: Final = "until-decided-failures.jsonl"
"""First failures in a folder of records, one a line: written before the run is repeated."""


def first_failures(folder: Path) -> dict[str, str]:
    """Run -> which failure of it is the first."""
    try:
        lines = (folder / FAILURES).read_text(encoding="utf-8").splitlines()
        return {str(entry["run"]): str(entry["failure"]) for entry in map(json.loads, lines)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SpecError(
            f"{folder / FAILURES} does not hold first failures: {type(error).__name__}", fix="delete the file"
        ) from error


def keep_first_failures(records: Iterable[Record], folder: Path) -> None:
    """Keep the failures that are the first of their runs."""
    known = first_failures(folder)
    found = {record.id: _failure(record) for record in records if record.status == "failed"} | known
    if len(found) > len(known):
        text = "".join(json.dumps({"run": run, "failure": failure}) + "\n" for run, failure in found.items())
        write_atomically(folder / FAILURES, text.encode())


def to_repeat(record: Record, first: Mapping[str, str]) -> bool:
    """Whether a run failed and was not repeated yet."""
    return record.status == "failed" and first.get(record.id, _failure(record)) == _failure(record)


def _failure(record: Record) -> str:
    return f"{record.started} to {record.finished}"
