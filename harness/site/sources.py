"""What a page shows: records, each run once, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from harness.boards.reference import Reference, read_reference
from harness.bundles.merging import boards_in
from harness.bundles.people import Standing, standings_of
from harness.core.errors import SpecError
from harness.runs.design import Design
from harness.runs.record import Record
from harness.runs.results import Results
from harness.runs.targets import Resolver

_PREFERENCE: Final = ("done", "failed", "missing")
"""Of two records of one run the one that says more is used."""


@dataclass(frozen=True)
class Collection:
    """The records of all sources.

    Attributes:
        titles: name and description of each spec.
        records: each run once, ordered by id.
        files: of the runs whose record is in a file, that file.
        references: published numbers beside the specs.
        notes: missing data of the specs, in a sentence each.
        places: run id -> number of the first source that names it.
        people: run id -> who measured it and who did it again, of merged boards.
        design: what is tested, where all sources agree; else the default.
    """

    titles: tuple[tuple[str, str], ...]
    records: tuple[Record, ...]
    files: Mapping[str, Path]
    references: tuple[Reference, ...]
    notes: tuple[str, ...]
    places: Mapping[str, int]
    people: Mapping[str, Standing] = field(default_factory=dict)
    design: Design = field(default_factory=Design)


def collect(sources: Sequence[str | Path | Record], resolver: Resolver) -> Collection:
    """Read targets (pending runs become records that say so), folders of merged boards, and single records.

    Raises:
        SpecError: no sources, a path that does not exist, or a folder without records.
        Errors: mistakes in a spec, all at once.
        DataDamaged: a file is not a valid record.
    """
    sources = [part for source in sources for part in _parts(source)]
    results = [_results(source, resolver) for source in sources]
    records: dict[str, Record] = {}
    files: dict[str, Path] = {}
    places: dict[str, int] = {}
    for place, (source, result) in enumerate(zip(sources, results, strict=True)):
        for record in result.records:
            places.setdefault(record.id, 0 if isinstance(source, Record) else place)  # records alone have no order
            other = records.get(record.id)
            if other and _PREFERENCE.index(other.status) <= _PREFERENCE.index(record.status):
                continue
            records[record.id] = record
            files.pop(record.id, None)
            if record.id in result.files:
                files[record.id] = result.files[record.id]
    if not records:
        raise SpecError("there is nothing to write a page of", fix="give specs, or folders that harness run wrote")
    return Collection(
        titles=tuple(dict.fromkeys((result.title, result.description) for result in results if result.title)),
        records=tuple(records[run_id] for run_id in sorted(records)),
        files=files,
        references=tuple(read_reference(result.reference) for result in results if result.reference),
        notes=tuple(error.headline for result in results for error in result.missing),
        places=places,
        people=standings_of(files.values()),
        design=_common([result.design for result in results]),
    )


def _common(designs: Sequence[Design]) -> Design:
    """What all sources test, else the default; with the first looks of all of them."""
    seen = {board: seeds for design in designs for board, seeds in design.seen.items()}
    alike = {repr(replace(design, seen={})) for design in designs}
    return replace(designs[0] if len(alike) == 1 else Design(), seen=seen)


def _parts(source: str | Path | Record) -> Sequence[str | Path | Record]:
    """All boards of a folder that ``harness merge`` wrote; any other source is itself."""
    return [source] if isinstance(source, Record) else boards_in(Path(source)) or [source]


def _results(source: str | Path | Record, resolver: Resolver) -> Results:
    if isinstance(source, Record):
        return Results(source.id, (source,))
    results = resolver.results(source)
    results.require_records()
    return results
