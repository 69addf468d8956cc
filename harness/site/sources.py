"""What a page is made from: records, each run once, and the files that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.core.errors import SpecError
from harness.plugin_api import DataFolders
from harness.boards.reference import Reference, read_reference
from harness.runs.record import Record
from harness.runs.results import Results
from harness.runs.targets import Resolver

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
        """Read targets (planned runs that were not done become records that say so), and single records.

        Raises:
            SpecError: nothing given, a path that is not there, or a folder without records.
            Errors: mistakes in a spec, all at once.
            DataDamaged: a file is not a valid record.
        """
        read = [self._read(source) for source in sources]
        records: dict[str, Record] = {}
        files: dict[str, Path] = {}
        for source in read:
            for record in source.records:
                known = records.get(record.id)
                if known and _PREFERENCE.index(known.status) <= _PREFERENCE.index(record.status):
                    continue
                records[record.id] = record
                files.pop(record.id, None)
                if record.id in source.files:
                    files[record.id] = source.files[record.id]
        if not records:
            raise SpecError("there is nothing to make a page from", fix="give specs, or folders that harness run wrote")
        return Collection(
            titles=tuple((source.title, source.description) for source in read if source.title),
            records=tuple(records[run_id] for run_id in sorted(records)),
            files=files,
            references=tuple(read_reference(source.reference) for source in read if source.reference),
            notes=tuple(error.headline for source in read for error in source.missing),
        )

    def _read(self, source: str | Path | Record) -> Results:
        if isinstance(source, Record):
            return Results(source.id, (source,))
        resolver = Resolver(self.plugins, self.folders.root, self.folders.cache, catalogues=self.catalogues, ranks=self.ranks)
        results = resolver.results(source)
        results.require_records()
        return results
