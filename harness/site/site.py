"""``write_page``: from specs and records to a folder of HTML."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from harness.boards import Board, boards, with_published
from harness.boards.across import across
from harness.core.signed import signed
from harness.data.folders import data_folders
from harness.registry import load_registry
from harness.runs.record import Record
from harness.runs.targets import Resolver
from harness.site.cards import Summaries, environments, method_cards, quality, run_cards, stage_costs, summaries
from harness.site.folder import replaced_folder
from harness.site.gallery import Gallery, gallery
from harness.site.names import run_name
from harness.site.render import render
from harness.site.sources import Collection, collect
from harness.site.view import NUMBERS, AcrossView, BoardView, RowView, across_views, board_views, value_text

_NAMED: Final = 3
"""Specs whose names make a heading."""
_MOST_COMPARED: Final = 12
"""Methods of a board, best first, whose results of queries its page can show beside each other."""


@dataclass(frozen=True)
class Written:
    """What was written: the page to open, how much is in it, and what is not in it and why."""

    index: Path
    boards: int
    records: int
    notes: tuple[str, ...] = ()


def write_page(
    sources: str | Path | Record | Iterable[str | Path | Record],
    out: str | Path = "site",
    *,
    title: str = "",
    pictures: bool = True,
    galleries: int = 0,
    plugins: tuple[str, ...] = (),
    catalogues: tuple[Path, ...] = (),
    data: str | Path | None = None,
    cache: str | Path | None = None,
) -> Written:
    """Write boards, methods and runs as a static page that needs no network and no server.

    ``out/index.html`` holds the boards; ``out/methods/`` a page for each row, ``out/records/`` copies of the records,
    ``out/numbers/`` what tables and pictures show, as CSV. The folder is replaced as a whole, once everything is
    written. The same records give the same bytes.

    Args:
        sources: spec files, folders of records, or records.
        out: folder to write; one that is new, empty, or was written by this function.
        title: heading; else the names of the specs, if they are few.
        pictures: draw curves and costs; they take most of the time where there are many boards.
        galleries: number of queries of each retrieval board whose first results are shown as thumbnails, framed as
            positive, negative or junk. This loads the data; where they cannot be had, a sentence says why.
        plugins: files or modules with methods, besides the installed ones.
        catalogues: files with datasets, besides the built-in ones.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        cache: folder of what can be computed again (default ``$HARNESS_CACHE``).

    Raises:
        SpecError: there are no records.
        NotComparable: records of one dataset were measured by different protocols or on different data.
        InvalidInput: ``out`` holds something else, or cannot be written.
    """
    folders = data_folders(data, cache)
    resolver = Resolver(plugins, folders.root, folders.cache, catalogues=catalogues, ranks=galleries > 0)
    collection = collect([sources] if isinstance(sources, str | Path | Record) else [*sources], resolver)
    registry = load_registry(plugins)
    about = summaries(registry, collection.records)
    shown_boards, left_out = _boards(collection)
    views = board_views(shown_boards, pictures=pictures, people=collection.people)
    ranks = across_views(across(shown_boards), pictures=pictures)
    names = list(dict.fromkeys(name for name, _ in collection.titles))
    heading = title or (", ".join(names) if 0 < len(names) <= _NAMED else "Leaderboards")
    with replaced_folder(Path(out)) as folder:
        shown = {view.id: gallery(view, galleries, registry, folders, folder) for view in views if galleries}
        _copy_records(collection, folder / "records")
        _write_numbers(views, ranks, folder)
        (folder / "methods").mkdir()
        for view in views:
            for row in (row for row in view.rows if row.records):
                page = _method_page(view, row, heading, about, shown.get(view.id, Gallery()))
                _write(folder / row.href, page)
        _write(folder / "index.html", _index(collection, views, ranks, heading, about, shown))
    reasons = [f"{view.title}: {shown[view.id].reason}" for view in views if view.id in shown and shown[view.id].reason]
    return Written(
        Path(out) / "index.html", len(views), len(collection.records), (*collection.notes, *left_out, *reasons)
    )


def _boards(collection: Collection) -> tuple[list[Board], list[str]]:
    """The boards in the order of the sources, each beside the first published numbers for it; which were left out."""
    shown, notes = [], []
    for board in sorted(boards(collection.records, design=collection.design), key=partial(_place, collection)):
        beside = [(with_published(board, one), one.source) for one in collection.references]
        beside = [(changed, source) for changed, source in beside if changed is not board]
        shown.append(beside[0][0] if beside else board)
        if rest := ", ".join(source.table for _, source in beside[1:]):
            kept = beside[0][1].table
            notes.append(
                f"{board.dataset}: published numbers of {kept} are shown; for those of {rest}, make other pages"
            )
    return shown, notes


def _place(collection: Collection, board: Board) -> int:
    """The first source that names a run of a board."""
    return min(collection.places[run] for row in board.rows for run in row.run_ids)


def _index(
    collection: Collection,
    views: Sequence[BoardView],
    ranks: Sequence[AcrossView],
    heading: str,
    about: Summaries,
    galleries: Mapping[str, Gallery],
) -> str:
    statuses = [record.status for record in collection.records]
    counts = {status: statuses.count(status) for status in ("done", "failed", "missing")}
    return render(
        "index.html.jinja",
        title=heading,
        descriptions=[(name, text) for name, text in collection.titles if text],
        boards=views,
        across=ranks,
        galleries=galleries,
        most_compared=_MOST_COMPARED,
        cards=method_cards(collection.records, about),
        counts=counts,
    )


def _method_page(board: BoardView, row: RowView, heading: str, about: Summaries, pictures: Gallery) -> str:
    first = row.records[0]
    return render(
        "method.html.jinja",
        title=heading,
        board=board,
        row=row,
        gallery=pictures,
        methods=method_cards(row.records, about),
        costs=stage_costs(row.records),
        columns=quality(board),
        runs=run_cards(row.records, board),
        environments=environments(row.records),
        dataset=[
            ("name", first.dataset.name),
            ("loader", first.dataset.loader),
            *((name, value_text(value)) for name, value in sorted(first.dataset.parameters.items())),
            ("fingerprint", first.dataset.fingerprint),
        ],
        protocol=[("id", first.protocol_id), *((n, value_text(v)) for n, v in sorted(first.protocol.items()))],
    )


def _write(file: Path, page: str) -> None:
    # A record may hold what is no character (half of a surrogate pair); it becomes a question mark.
    file.write_text(page, encoding="utf-8", errors="replace", newline="\n")


def _write_numbers(views: Sequence[BoardView], ranks: Sequence[AcrossView], folder: Path) -> None:
    """What tables and pictures show, as CSV."""
    (folder / NUMBERS).mkdir()
    for board in views:
        (folder / board.file).write_bytes(board.numbers)
    drawn = [board.pictures for board in views] + [across.pictures for across in ranks]
    for picture in chain.from_iterable(drawn):
        (folder / picture.file).write_bytes(picture.numbers)


def _copy_records(collection: Collection, folder: Path) -> None:
    """The files as they are; records that lie in no file are written."""
    folder.mkdir()
    for record in collection.records:
        if record.status == "missing":
            continue
        copy = folder / f"{run_name(record.id)}.json"
        if record.id in collection.files:
            shutil.copyfile(collection.files[record.id], copy)
        else:
            copy.write_bytes(signed(record.model_dump(by_alias=True)))
