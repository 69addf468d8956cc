"""Runs of a board that were done again: by whom, when, and how far from what the record says.

A line of JSON each in ``recomputed.jsonl`` beside the bundles, which ``harness records verify --log`` writes and
``harness merge`` reads. A line speaks of one record by the digest of its content: a record that changes loses it.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.bundles.bundle import Named, content_id
from harness.core.errors import DataDamaged, FileUnusable
from harness.core.files import write_atomically
from harness.core.text import sentence

if TYPE_CHECKING:
    from harness.studies.verify_records import RecordCheck

FILE: Final = "recomputed.jsonl"
_LARGEST: Final = 64 << 20
Digest = Annotated[str, Field(pattern="^[0-9a-f]{24}$")]


class Recomputation(BaseModel):
    """One run that was done again and gave the result of its record within the tolerance."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    run: Digest
    record: Digest
    """Of the content of the record's file."""
    by: Named
    when: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    """The day, UTC."""
    difference: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Largest difference of a metric, in points."""


def append(file: Path, checks: Iterable[RecordCheck], by: str) -> int:
    """Add the runs that were done again with the same result; returns how many.

    Raises:
        DataDamaged: the file holds something else.
        FileUnusable: it cannot be written.
    """
    lines = [line for lines in read(file).values() for line in lines]
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    new = [
        Recomputation(
            run=check.file.stem,
            record=content_id(check.file.read_bytes()),
            by=sentence(by, 200),
            when=today,
            difference=check.difference,
        )
        for check in checks
        if check.difference is not None and math.isfinite(check.difference) and not check.problem
    ]
    rows = sorted({line.model_dump_json() for line in [*lines, *new]})
    try:
        write_atomically(file, "".join(f"{row}\n" for row in rows).encode())
    except OSError as error:
        raise FileUnusable.of(error, file) from error
    return len(new)


def read(file: Path) -> Mapping[str, Sequence[Recomputation]]:
    """Digest of a record -> when it was done again; nothing where there is no file.

    Raises:
        DataDamaged: a line is none of these.
    """
    if not file.is_file():
        return {}
    if file.stat().st_size > _LARGEST:
        raise DataDamaged(f"{file} is too large", fix="harness records verify --log writes it")
    found: dict[str, list[Recomputation]] = defaultdict(list)
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        try:
            one = Recomputation.model_validate(json.loads(line))
        except (ValueError, ValidationError, RecursionError) as error:
            reason = f"{file}, line {number}, is no run that was done again"
            raise DataDamaged(reason, fix="remove the line; harness records verify --log writes them") from error
        found[one.record].append(one)
    return found
