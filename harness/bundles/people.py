"""Who measured the runs of a board, who did them again, and where they disagree.

``harness merge`` writes a line of JSON for each run into ``repetitions.jsonl``, beside the records that the board
takes; the board's table and its page show what is in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.boards.board import Board, full_name
from harness.boards.render import make_table
from harness.boards.render.table import Table
from harness.bundles.bundle import RUNS, Named, content_id
from harness.bundles.recomputed import Digest, Recomputation
from harness.core.errors import DataDamaged
from harness.runs.record import Number, Sentence

if TYPE_CHECKING:
    from harness.bundles.repetitions import RepeatedRun

REPETITIONS: Final = "repetitions.jsonl"
_AGAIN: Final = ("recomputed", "recomputed by", "last", "difference in points")

Recomputations = Mapping[str, Sequence[Recomputation]]
"""Digest of a record -> when it was done again."""


class Measured(BaseModel):
    """One record of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bundles: tuple[Digest, ...]
    """That hold it."""
    measured_by: tuple[Named, ...]
    recomputed: tuple[Recomputation, ...] = ()
    status: Sentence
    metrics: dict[str, Number]
    finished: str


class Standing(BaseModel):
    """All that a board knows of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Digest
    taken: Digest
    """The record that stands in the board."""
    disagreements: tuple[Sentence, ...]
    records: dict[Digest, Measured]

    @property
    def measured_by(self) -> list[str]:
        """Everybody who measured it."""
        return sorted({name for record in self.records.values() for name in record.measured_by})

    @property
    def recomputed(self) -> tuple[Recomputation, ...]:
        """When the record that stands in the board was done again; that another was says nothing of it."""
        return self.records[self.taken].recomputed if self.taken in self.records else ()


def standing(run: RepeatedRun, again: Recomputations) -> Standing:
    """What is known of a run.

    Args:
        run: its repetitions.
        again: of all records that were done again.
    """
    records = {
        repetition.id: Measured(
            bundles=tuple(bundle.id for bundle in repetition.bundles),
            measured_by=repetition.measured_by,
            recomputed=tuple(again.get(repetition.id, ())),
            status=repetition.record.status,
            metrics=dict(repetition.record.metrics),
            finished=repetition.record.finished,
        )
        for repetition in run.repetitions
    }
    return Standing(run=run.taken.record.id, taken=run.taken.id, disagreements=run.disagreements, records=records)


def written(standings: Iterable[Standing]) -> str:
    """The file of them, a line each."""
    lines = (one.model_dump(mode="json") for one in standings)
    return "".join(json.dumps(line, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)


def standings_of(records: Iterable[Path]) -> dict[str, Standing]:
    """What boards of ``harness merge`` say of the runs whose records lie in them; a record that changed has nothing.

    Args:
        records: files of records, of merged boards or of others.

    Raises:
        DataDamaged: what a board says of its runs cannot be read.
    """
    known: dict[Path, dict[str, Standing]] = {}
    found = {}
    for file in records:
        folder = file.parent
        if folder not in known:
            known[folder] = _read(folder.parent / REPETITIONS) if folder.name == RUNS else {}
        one = known[folder].get(file.stem)
        if one is not None and one.taken == content_id(file.read_bytes()):
            found[one.run] = one
    return found


def _read(file: Path) -> dict[str, Standing]:
    if not file.is_file():
        return {}
    found = {}
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        try:
            one = Standing.model_validate(json.loads(line))
        except (ValueError, ValidationError, RecursionError) as error:
            reason = f"{file}, line {number}, says nothing of a run"
            raise DataDamaged(reason, fix="harness merge writes it again") from error
        found[one.run] = one
    return found


def recomputed_text(standings: Sequence[Standing]) -> str:
    """Of the runs of one row: ``1 of 2 by CI of the board, 2026-11-30, to 0.03 points``; empty where none was."""
    count, by, last, difference = _again(standings)
    return f"{count} of {len(standings)} by {by}, {last}, to {difference} points" if count else ""


def people_tables(boards: Iterable[Board], standings: Iterable[Standing]) -> Iterator[Table]:
    """Who measured each row, who did its runs again, and where those who did the same run disagree."""
    by_id = {one.run: one for one in standings}
    people: list[tuple[Any, ...]] = []
    disputed = []
    for board in boards:
        for row in board.rows:
            name, own = full_name(board, row), [by_id[run_id] for run_id in row.run_ids]
            names = sorted({one for run in own for one in run.measured_by})
            people.append((name, ", ".join(names), len(own), sum(len(run.records) for run in own), *_again(own)))
            seeds = {record.id: record.seed for record in row.records}
            for run in own:
                who = ", ".join(run.measured_by)
                disputed += [(name, seeds[run.run], who, difference) for difference in run.disagreements]
    yield make_table(
        ("method", "measured by", "runs", "records", *_AGAIN),
        people,
        right=("runs", "records", _AGAIN[0], _AGAIN[-1]),
        title="Who measured",
    )
    title = "Disagreements"
    if disputed:
        yield make_table(("method", "seed", "measured by", "difference"), disputed, right=("seed",), title=title)
    else:
        yield Table(title=title, intro="None: all repetitions agree within the tolerance.")


def _again(standings: Sequence[Standing]) -> tuple[str, str, str, str]:
    """How many runs of a row were done again, by whom, when last, and the largest difference in points."""
    lines = [line for one in standings for line in one.recomputed]
    if not lines:
        return "", "", "", ""
    count = sum(bool(one.recomputed) for one in standings)
    return (
        str(count),
        ", ".join(sorted({line.by for line in lines})),
        max(line.when for line in lines),
        f"{max(line.difference for line in lines):.2g}",
    )
