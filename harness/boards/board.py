"""A board: the methods that were measured on one dataset under one setting of the protocol, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from harness.boards.columns import Cell, Column
from harness.boards.evidence import Interval
from harness.boards.verdicts import Against, PairwiseTests
from harness.core.errors import NOTHING_MEASURED, HarnessError
from harness.runs.labels import SHOWN_KINDS, Method, constants
from harness.runs.record import Record

STORED_DIGITS: Final = 6
"""Digits of the values in a ``results.json``."""


class NotComparable(HarnessError):
    """Records that must not stand in one table."""

    code = "L600"
    exit_code: ClassVar[int] = NOTHING_MEASURED


@dataclass(frozen=True)
class Row:
    """One method combination on one dataset.

    Attributes:
        rank: first rank of its rank interval: one more than the methods that are significantly better; None where
            nothing was measured or compared.
        labels: kind -> label, for the kinds of the board.
        cells: column -> mean over the runs, None where there is none.
        interval: 95% interval of the first column, None where there are too few values.
        runs: runs that are done.
        expected: runs that there should be.
        notes: why runs of this row have no result, or why it was not compared.
        rank_last: last rank of the interval: the number of methods less those that are significantly worse.
        front: costs against which it is on the Pareto front.
        reason: the first note, for a cell; empty where all runs are done.
        run_ids: records behind the row, by seed.
        units: queries or seeds of the values.
        values: of the first column by query or seed, to six digits: with them a committed ``results.json`` is enough
            for ``harness compare`` to test a difference.
        methods: by kind, with all parameters; None where an older version wrote the ``results.json``.
        doubts: what its runs say against their own numbers.
        against: the comparison with the baseline of the board, None where there is none.
        measured_by: who measured them, where they were imported.
        records: behind the row, by seed; none for a row read from a ``results.json``, or published elsewhere.
    """

    rank: int | None
    labels: Mapping[str, str]
    cells: Mapping[str, Cell | None]
    interval: Interval | None
    runs: int
    expected: int
    notes: tuple[str, ...]
    rank_last: int | None = None
    front: tuple[str, ...] = ()
    reason: str = ""
    run_ids: tuple[str, ...] = ()
    units: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    methods: Mapping[str, Method] | None = None
    doubts: tuple[str, ...] = ()
    against: Against | None = None
    measured_by: tuple[str, ...] = ()
    records: tuple[Record, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Board:
    """One table: one dataset, one setting of the protocol.

    Attributes:
        task: task of all records.
        dataset: the dataset's name and what tells its setting from the others.
        kinds: kinds that differ between rows and so are columns.
        common: kinds that are the same in all rows.
        columns: numbers, the headline first.
        rows: best first.
        provenance: sentences of the footer, plain text; the first says what the ranks are worth.
        tests: what the ranks rest on; None without results.
        fingerprint: of the data.
        protocol_id: of all records.
        protocol: its options.
        protocol_non_default: those of them that are not at their default; None where that was not recorded.
        warnings: sentences that say why its numbers are not comparable with others of the dataset's name.
        baseline: name of the row that all others are compared with; empty without one.
        groups: group of each query, by its number; empty where the records do not say.
        data: the dataset's name and the parameters of its loader; None as ``methods`` of a row.
        shown: columns that its tables show, by key or title; empty for a few that fit (``harness.boards.choice``).
    """

    task: str
    dataset: str
    kinds: tuple[str, ...]
    common: Mapping[str, str]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    provenance: tuple[str, ...] = ()
    tests: PairwiseTests | None = None
    fingerprint: str = ""
    protocol_id: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    protocol_non_default: tuple[str, ...] | None = None
    data: Method | None = None
    warnings: tuple[str, ...] = ()
    baseline: str = ""
    groups: tuple[int, ...] = ()
    shown: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """What the first column measures, in a sentence."""
        if not self.columns:
            return "no metric"
        first = self.columns[0]
        return f"accuracy with {first.title}" if first.key.startswith("accuracy@") else first.title

    @property
    def unit(self) -> str:
        """What values are paired by: ``query`` or ``seed``."""
        return "query" if self.task == "retrieval" else "seed"


def plural(unit: str) -> str:
    """``queries``, ``seeds``."""
    return "queries" if unit == "query" else f"{unit}s"


def row_name(row: Row, kinds: Sequence[str]) -> str:
    """``gem p=3 · pca``: the labels of a row in one line."""
    return " · ".join(row.labels.get(kind, "none") for kind in kinds)


def full_name(board: Board, row: Row) -> str:
    """All kinds of a row, those that all rows share too."""
    labels = {**board.common, **row.labels}
    return " · ".join(labels[kind] for kind in SHOWN_KINDS if kind in labels)


def parameters_sentence(board: Board) -> str:
    """What is not at its default and stands in no label, as it is the same in all rows of a method; or empty."""
    if any(row.methods is None and row.expected for row in board.rows):
        return "Parameters that are the same in all rows are not known: an older version wrote these results."
    methods = [
        (f"{kind} {row.methods[kind].name}", row.methods[kind])
        for kind in SHOWN_KINDS
        for row in board.rows
        if row.methods and kind in row.methods
    ]
    setting = [("dataset", board.data)] if board.data else []
    if board.protocol_non_default is not None:  # else only the footer, which has all options, speaks of them
        setting.append(("protocol", Method("protocol", board.protocol, board.protocol_non_default)))
    found = constants([*methods, *setting])
    return f"Parameters not at their defaults: {'; '.join(found)}." if found else ""
