"""What a page is made from: records, each run once, and the files that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import SpecError
from harness.protocols import DataFolders
from harness.runs.record import Record
from harness.runs.store import Store, read_records

_PREFERENCE: Final = ("done", "failed", "missing")
"""Of two records of one run the one that says more is kept."""


@dataclass(frozen=True)
class Collection:
    """The records of all sources.

    Attributes:
        titles: name and description of each spec.
        records: each run once, ordered by id.
        files: of the runs whose record lies in a file, that file.
    """

    titles: tuple[tuple[str, str], ...]
    records: tuple[Record, ...]
    files: dict[str, Path]


def collect(sources: Iterable[str | Path | Record], folders: DataFolders, plugins: tuple[str, ...] = ()) -> Collection:
    """Read specs (runs that were not done become records that say so), folders of records, and single records.

    Raises:
        SpecError: nothing given, a path that is not there, or a folder without records.
        Errors: mistakes in a spec, all at once.
        DataDamaged: a file is no record.
    """
    titles: list[tuple[str, str]] = []
    records: dict[str, Record] = {}
    files: dict[str, Path] = {}
    for source in sources:
        title, found = _read(source, folders, plugins)
        titles += [title] if title else []
        for record, file in found:
            known = records.get(record.id)
            if known and _PREFERENCE.index(known.status) <= _PREFERENCE.index(record.status):
                continue
            records[record.id] = record
            files.pop(record.id, None)
            if file is not None and record.status != "missing" and file.is_file():
                files[record.id] = file
    if not records:
        raise SpecError("there is nothing to make a page from", fix="give specs, or folders that harness run wrote")
    return Collection(tuple(titles), tuple(records[run_id] for run_id in sorted(records)), files)


def _read(
    source: str | Path | Record, folders: DataFolders, plugins: tuple[str, ...]
) -> tuple[tuple[str, str] | None, list[tuple[Record, Path | None]]]:
    """Name and description of a spec, and records with the files in which they should lie."""
    if isinstance(source, Record):
        return None, [(source, None)]
    path = Path(source)
    if path.is_dir() or path.suffix == ".json":
        files = Store(path) if path.is_dir() else None
        return None, [(record, files.path(record.id) if files else path) for record in read_records(path)]
    from harness.runs.plan import make_plan
    from harness.runs.runner import planned_records, runs_store

    plan = make_plan(path, folders, plugins=plugins)
    store = runs_store(plan)
    planned: list[tuple[Record, Path | None]] = [
        (record, store.path(record.id)) for record in planned_records(plan, store)
    ]
    return (plan.spec.name, plan.spec.description), planned
