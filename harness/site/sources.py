"""What a page is made from: records, each run once, and the files that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.core.errors import SpecError
from harness.plugin_api import DataFolders
from harness.boards.reference import Reference, read_reference
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
        references: published numbers that stand beside the specs.
        notes: data of the specs that are not there, in a sentence each.
    """

    titles: tuple[tuple[str, str], ...]
    records: tuple[Record, ...]
    files: Mapping[str, Path]
    references: tuple[Reference, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Source:
    """One source: its records with the files in which they should lie, and what a spec says."""

    records: Sequence[tuple[Record, Path | None]]
    title: tuple[str, str] | None = None
    reference: Reference | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """How sources are read.

    Attributes:
        folders: where the data of specs lie.
        plugins: files or modules with methods, besides the installed ones.
        catalogues: files with datasets, besides the built-in ones.
        ranks: whether the rankings of records are read, which is most of them.
    """

    folders: DataFolders
    plugins: tuple[str, ...] = ()
    catalogues: tuple[Path, ...] = ()
    ranks: bool = False

    def collect(self, sources: Iterable[str | Path | Record]) -> Collection:
        """Read specs (runs that were not done become records that say so), folders of records, and single records.

        Raises:
            SpecError: nothing given, a path that is not there, or a folder without records.
            Errors: mistakes in a spec, all at once.
            DataDamaged: a file is no record.
        """
        read = [self._read(source) for source in sources]
        records: dict[str, Record] = {}
        files: dict[str, Path] = {}
        for record, file in (pair for source in read for pair in source.records):
            known = records.get(record.id)
            if known and _PREFERENCE.index(known.status) <= _PREFERENCE.index(record.status):
                continue
            records[record.id] = record
            files.pop(record.id, None)
            if file is not None and record.status != "missing" and file.is_file():
                files[record.id] = file
        if not records:
            raise SpecError("there is nothing to make a page from", fix="give specs, or folders that harness run wrote")
        return Collection(
            titles=tuple(source.title for source in read if source.title),
            records=tuple(records[run_id] for run_id in sorted(records)),
            files=files,
            references=tuple(source.reference for source in read if source.reference),
            notes=tuple(note for source in read for note in source.notes),
        )

    def _read(self, source: str | Path | Record) -> _Source:
        if isinstance(source, Record):
            return _Source([(source, None)])
        path = Path(source)
        if path.is_dir():
            store = Store(path, ranks=self.ranks)
            records = store.read_all()
            if not records:
                raise SpecError(
                    f"there are no records in {path}", fix="give a spec, or a folder that harness run wrote"
                )
            return _Source([(record, store.path(record.id)) for record in records])
        if path.suffix == ".json":
            return _Source([(record, path) for record in read_records(path)])
        return self._read_spec(path)

    def _read_spec(self, path: Path) -> _Source:
        from harness.runs.plan import make_plan
        from harness.runs.runner import planned_records, runs_store

        plan = make_plan(path, self.folders, plugins=self.plugins, incomplete=True, catalogues=self.catalogues)
        store = Store(runs_store(plan).folder, ranks=self.ranks)
        beside = path.with_name("reference.yaml")
        return _Source(
            [(record, store.path(record.id)) for record in planned_records(plan, store)],
            title=(plan.spec.name, plan.spec.description),
            reference=read_reference(beside) if beside.is_file() else None,
            notes=tuple(error.headline for error in plan.missing),
        )
