"""A folder of records, one JSON file a run, each written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from harness.cache import write_atomically
from harness.errors import DataDamaged, SpecError
from harness.runs.record import SCHEMA, Record


class Store:
    """Records under ``folder``, found by run id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, run_id: str) -> Path:
        """File of a run's record, whether it is there or not."""
        return self.folder / f"{run_id}.json"

    def read(self, run_id: str) -> Record | None:
        """The record of a run, None if there is none. Raises ``DataDamaged``."""
        path = self.path(run_id)
        return read_record(path) if path.is_file() else None

    def read_many(self, run_ids: Iterable[str]) -> dict[str, Record]:
        """The records that are there, by id."""
        found = {run_id: self.read(run_id) for run_id in run_ids}
        return {run_id: record for run_id, record in found.items() if record is not None}

    def read_all(self) -> list[Record]:
        """All records of the folder, ordered by id."""
        return [read_record(path) for path in sorted(self.folder.glob("*.json"))]

    def write(self, record: Record) -> None:
        """Write atomically; a record of the same id is replaced."""
        text = json.dumps(
            record.model_dump(by_alias=True), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False
        )
        write_atomically(self.path(record.id), text.encode() + b"\n")


def read_records(path: Path) -> list[Record]:
    """The records of a folder, ordered by id, or the one record of a file.

    Raises:
        SpecError: there is no such file or folder, or no record in it.
        DataDamaged: a file is no record.
    """
    if not path.exists():
        raise SpecError(f"there is no {path}", fix="give a record, or a folder that harness run wrote")
    records = Store(path).read_all() if path.is_dir() else [read_record(path)]
    if not records:
        raise SpecError(f"there are no records in {path}", fix="give a folder that harness run wrote")
    return records


def read_record(path: Path) -> Record:
    """Read one record. Raises ``DataDamaged`` naming the file and the first thing that is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataDamaged(f"{path} is no record: {error}", fix="delete the file; the run is then done again") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise DataDamaged(f"{path} has record format {schema!r}; this harness reads format {SCHEMA}")
    try:
        return Record.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataDamaged(f"{path} is a damaged record: {where}: {first['msg']}", fix="delete the file") from error
