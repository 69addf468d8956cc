"""``harness merge``: boards of the bundles of many people.

The bundles themselves are kept, so that nothing is lost; all else follows from the set of them, whatever the order in
which they came::

    bundles/ID.zip                    every bundle that was merged
    boards/index.json                 bundles and boards
    boards/NAME/README.md             a board with who measured what: one for each dataset, protocol and task
    boards/NAME/results.json          the same for programs
    boards/NAME/repetitions.jsonl     every record of every run: who measured it and did it again, which one is taken
    boards/NAME/runs/ID.json          the records that the board takes
    recomputed.jsonl                  runs that were done again, where there were any (``recomputed``)
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.boards.board import Board
from harness.boards.render import json_text, render_tables
from harness.boards.render.markdown import escaped
from harness.boards.stored import boards_content, boards_of
from harness.boards.tables import all_tables
from harness.bundles.bundle import RUNS, SUFFIX, Bundle, bundle_files, open_bundle
from harness.bundles.people import REPETITIONS, Recomputations, people_tables, standing, written
from harness.bundles.recomputed import FILE as RECOMPUTED
from harness.bundles.recomputed import read
from harness.bundles.repetitions import RepeatedRun, Repetition, repeated_run, repetitions_of
from harness.bundles.stated import Stated, stated_by
from harness.core.digest import digest
from harness.core.errors import DataDamaged, DataMissing, Errors, FileUnusable, HarnessError, UnknownName
from harness.core.files import unfinished_folder, write_atomically
from harness.runs.design import Design
from harness.runs.results import Results
from harness.runs.tolerances import Tolerances, require_metrics

BUNDLES: Final = "bundles"
BOARDS: Final = "boards"
INDEX: Final = "index.json"
TOLERANCE: Final[Tolerances] = {"": 0.1}
"""Points within which repetitions agree."""


@dataclass(frozen=True)
class Merged:
    """What lies in a folder of boards now.

    Attributes:
        folder: of it.
        bundles: number of bundles.
        boards: name -> number of runs.
        runs: number of runs.
        records: number of records, repetitions included.
        disagreements: ``BOARD: run ID: sentence``.
        notes: ``BOARD: sentence``: what a board does not take of the specs of its bundles, and why.
    """

    folder: Path
    bundles: int
    boards: Mapping[str, int]
    runs: int
    records: int
    disagreements: tuple[str, ...]
    notes: tuple[str, ...] = ()


def merge(bundles: Sequence[str | Path], into: str | Path, *, tolerance: Tolerances | None = None) -> Merged:
    """Add bundles to those of a folder, and make its boards again from all of them.

    The result is the same, byte for byte, whatever the order in which bundles come, and however often.

    Args:
        bundles: files that ``harness publish`` wrote, or folders of them; none makes the boards again.
        into: the folder of the boards.
        tolerance: metric -> points within which repetitions of a run agree; 0.1 points by default.

    Raises:
        DataMissing: there is no such bundle, or none at all.
        DataDamaged, Errors: bundles, or records in them, are not what they say; nothing is merged then.
        UnknownName: a tolerance is for a metric that no record has.
        FileUnusable: the folder cannot be written to.
    """
    into = Path(into)
    stored = into / BUNDLES
    if (boards_before := into / BOARDS).exists() and not (boards_before / INDEX).is_file():
        reason = f"{boards_before} has no {INDEX}: harness merge did not write it"
        raise DataDamaged(reason, fix="name another folder: --into")
    if not bundles and not stored.is_dir():
        fix = "name bundles, or with --into the folder whose boards are to be made again"
        raise DataMissing(f"there are no bundles in {stored}, and none are given", fix=fix)
    opened = _opened([*sorted(stored.glob(f"*{SUFFIX}")), *bundle_files(bundles)])
    by_run = _by_run(opened.values(), tolerance or TOLERANCE)
    records = [repetition.record for run in by_run for repetition in run.repetitions]
    require_metrics(tolerance or {}, {name for record in records for name in record.metrics})
    boards, again = _by_board(by_run), read(into / RECOMPUTED)
    stated = {name: _stated(runs) for name, runs in boards.items()}
    try:
        for bundle in opened.values():
            _keep(bundle, stored)
        with unfinished_folder(into / BOARDS) as folder:
            for name, runs in boards.items():
                _write_board(folder / name, name, runs, again, stated[name])
            (folder / INDEX).write_bytes(_json(_index(opened, boards)))
            _replace(folder, into / BOARDS)
    except OSError as error:
        raise FileUnusable.of(error, into) from error
    return Merged(
        folder=into,
        bundles=len(opened),
        boards={name: len(runs) for name, runs in boards.items()},
        runs=len(by_run),
        records=len(records),
        disagreements=tuple(
            f"{name}: run {run.taken.record.id}: {sentence}"
            for name, runs in boards.items()
            for run in runs
            for sentence in run.disagreements
        ),
        notes=tuple(f"{name}: {spec.note}" for name, spec in stated.items() if spec.note),
    )


def boards_in(folder: Path) -> list[Path]:
    """The folders of all boards in one that ``merge`` wrote, by name; none in any other."""
    if not (folder / BOARDS / INDEX).is_file():
        return []
    return sorted(path for path in (folder / BOARDS).iterdir() if path.is_dir() and not path.name.startswith("."))


def _opened(files: Iterable[Path]) -> dict[str, Bundle]:
    """The bundles by id; all that is wrong with any is said at once."""
    opened, errors = {}, list[HarnessError]()
    for file in files:
        try:
            bundle = open_bundle(file)
            opened[bundle.id] = bundle
        except DataDamaged as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else Errors(errors)
    return {key: opened[key] for key in sorted(opened)}


def _by_run(bundles: Iterable[Bundle], tolerance: Tolerances) -> list[RepeatedRun]:
    """All runs, ordered by id."""
    groups: dict[str, list[Repetition]] = defaultdict(list)
    for repetition in repetitions_of(bundles):
        groups[repetition.record.id].append(repetition)
    return [repeated_run(groups[run_id], tolerance) for run_id in sorted(groups)]


def _by_board(runs: Iterable[RepeatedRun]) -> dict[str, list[RepeatedRun]]:
    """Runs that may stand in one table: those of one task, one dataset, by its content, and one protocol."""
    groups: dict[tuple[str, ...], list[RepeatedRun]] = defaultdict(list)
    for run in runs:
        record = run.taken.record
        groups[record.task, record.dataset.name, record.dataset.fingerprint, record.protocol_id].append(run)
    return {_board_name(*key): groups[key] for key in sorted(groups)}


def _board_name(task: str, dataset: str, fingerprint: str, protocol: str) -> str:
    """``digits-1a2b3c4d``: what lies below it never changes, as bundles come."""
    readable = re.sub(r"[^a-z0-9]+", "-", dataset.lower()).strip("-")[:40] or "data"
    return f"{readable}-{digest([task, dataset, fingerprint, protocol])[:8]}"


def _keep(bundle: Bundle, folder: Path) -> None:
    file = folder / f"{bundle.id}{SUFFIX}"
    content = bundle.content
    if not file.is_file() or file.read_bytes() != content:
        write_atomically(file, content)


def _replace(folder: Path, place: Path) -> None:
    """Put a finished folder in place of the boards that were there, which follow from the bundles."""
    if not place.exists():
        os.replace(folder, place)
        return
    with unfinished_folder(place.with_name(f"{place.name}-before")) as before:
        os.replace(place, before / place.name)
        os.replace(folder, place)


def _stated(runs: Iterable[RepeatedRun]) -> Stated:
    """What the specs of all bundles with records of a board state."""
    repetitions = (repetition for run in runs for repetition in run.repetitions)
    return stated_by({bundle.id: bundle for repetition in repetitions for bundle in repetition.bundles}.values())


def _write_board(folder: Path, name: str, runs: Sequence[RepeatedRun], again: Recomputations, stated: Stated) -> None:
    (folder / RUNS).mkdir(parents=True)
    for run in runs:
        run_id = run.taken.record.id
        (folder / RUNS / f"{run_id}.json").write_bytes(run.taken.content)
        ranks = [bundle.folder / RUNS / f"{run_id}.ranks.npy" for bundle in run.taken.bundles]
        if there := [file for file in ranks if file.is_file()]:  # all the same: the record has their checksum
            shutil.copyfile(there[0], folder / RUNS / there[0].name)
    boards, missing = _boards(name, runs, stated.baseline)
    title = stated.name or runs[0].taken.record.dataset.name
    description = " ".join(filter(None, [stated.description, stated.note, missing]))
    standings = [standing(run, again) for run in runs]
    tables = [*all_tables(boards), *people_tables(boards, standings)]
    about = "\n\n".join(filter(None, [escaped(description), _ABOUT]))
    text = render_tables(tables, "markdown", title=title, description=about, command="harness merge")
    (folder / "README.md").write_text(text, encoding="utf-8")
    (folder / "results.json").write_text(json_text(boards_content(boards, title, description)), encoding="utf-8")
    (folder / REPETITIONS).write_text(written(standings), encoding="utf-8")


def _boards(name: str, runs: Sequence[RepeatedRun], baseline: str) -> tuple[list[Board], str]:
    """The boards of runs, with a baseline where it is one of their rows; a sentence where it is none."""
    records = tuple(run.taken.record for run in runs)
    try:
        return boards_of(Results(name, records, design=Design(baseline=baseline))), ""
    except UnknownName:
        return boards_of(Results(name, records)), f'Its baseline "{baseline}" is no single row of this board.'


_ABOUT: Final = (
    "Merged from published bundles by `harness merge`. A run that was done several times stands here with its middle "
    "result, the lower one of two."
)


def _index(bundles: Mapping[str, Bundle], boards: Mapping[str, Sequence[RepeatedRun]]) -> dict[str, Any]:
    return {
        "format": 1,
        "bundles": {key: _about_bundle(bundle) for key, bundle in bundles.items()},
        "boards": {name: _about_board(runs) for name, runs in boards.items()},
    }


def _about_bundle(bundle: Bundle) -> dict[str, Any]:
    about = {name: getattr(bundle.manifest, name) for name in ("name", "measured_by", "licence", "contact")}
    return {**about, "runs": bundle.run_ids}


def _about_board(runs: Sequence[RepeatedRun]) -> dict[str, Any]:
    record = runs[0].taken.record
    return {
        "task": record.task,
        "dataset": record.dataset.name,
        "fingerprint": record.dataset.fingerprint,
        "protocol_id": record.protocol_id,
        "protocol": record.protocol,
        "runs": len(runs),
        "records": sum(len(run.repetitions) for run in runs),
        "disagreements": sum(bool(run.disagreements) for run in runs),
    }


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
