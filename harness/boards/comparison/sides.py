"""One side of a comparison: the rows of boards, made of records or read from a ``results.json``.

A committed board holds less than records: no costs of single stages, no sources, values of its first column only.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from harness.boards.board import Board, Row
from harness.boards.building import grouped, unranked_board
from harness.boards.columns import Cell, column_of
from harness.boards.evidence import query_groups_of, query_values, unit_values
from harness.boards.failures import done
from harness.boards.footer import MEASURED_ON
from harness.boards.stored import read_boards
from harness.runs.design import AREA, AREA_LINEAR
from harness.runs.labels import Method
from harness.runs.record import Record
from harness.runs.results import Results

ENGINE: Final = "engine"
"""The part of the harness that measures; its version is in the name of the protocol."""


@dataclass(frozen=True)
class MeasuredRow:
    """A row with the board in which it stands; equal to a row of the same records beside others."""

    row: Row
    board: Board = field(compare=False)

    @cached_property
    def setting(self) -> str:
        """Equal for equal data and protocols, whatever the dataset is called, if it is known which data it holds."""
        return setting_key(self.board)

    @cached_property
    def methods(self) -> Mapping[str, Method]:
        """By kind, with all parameters; where an older version wrote the board, labels in place of names."""
        if self.row.methods is not None:
            return self.row.methods
        labels = {**self.board.common, **self.row.labels}
        return {kind: Method(str(text), {}) for kind, text in labels.items() if text != "none"}

    @property
    def parameters_known(self) -> bool:
        """False for a row of a board that an older version wrote."""
        return self.row.methods is not None

    @property
    def committed(self) -> bool:
        """Whether it was read from a ``results.json``, which holds values to six digits."""
        return not self.row.records

    @cached_property
    def measured(self) -> list[Record]:
        """The records with a result."""
        return done(self.row.records)

    @cached_property
    def means(self) -> Mapping[str, float]:
        """Metric -> mean over the runs: all metrics of records, the columns of a committed board."""
        if not self.row.records:
            quality = {column.key for column in self.board.columns if not column.is_cost and not column.published}
            return {key: cell.mean for key, cell in self.row.cells.items() if cell and key in quality}
        found: dict[str, list[float]] = defaultdict(list)
        for record in self.measured:
            for name, value in record.metrics.items():
                if value is not None:
                    found[name].append(value)
        means = {name: statistics.fmean(found[name]) for name in sorted(found)}
        # An area counts for all methods of a board together: no record holds it.
        return {self._key: statistics.fmean(self.row.values), **means} if self._is_area else means

    @property
    def _key(self) -> str:
        """Key of the first column, empty where nothing was measured."""
        return self.board.columns[0].key if self.board.columns else ""

    @property
    def _is_area(self) -> bool:
        return self._key in (AREA, AREA_LINEAR) and bool(self.row.values)

    @property
    def primary(self) -> str:
        """The metric that ranks the board, empty where nothing was measured."""
        return next((name for name in (self._key, "accuracy") if name in self.means), "")

    def samples(self, metric: str) -> Mapping[int, float]:
        """Value by query or seed; nothing for a metric of queries of which only the mean is known."""
        if not self.row.records or (self._is_area and metric == self._key):
            return dict(zip(self.row.units, self.row.values, strict=True)) if metric == self._key else {}
        by_query = metric.startswith("map_") or bool(query_values(self.measured, metric))
        if self.board.task == "retrieval" and not by_query:
            return {}
        return unit_values(self.measured, metric)

    @cached_property
    def groups(self) -> Mapping[int, int]:
        """Group of each query; nothing for seeds, and where it is not known."""
        return query_groups_of(self.measured[:1]) if self.row.records else dict(enumerate(self.board.groups))

    @property
    def costs(self) -> Mapping[str, Cell]:
        """Column -> mean over the runs."""
        cells = self.row.cells.items()
        return {key: cell for key, cell in cells if cell and (column := column_of(key)) and column.is_cost}

    @cached_property
    def sources(self) -> Mapping[str, tuple[str, str]]:
        """What made the numbers, by part (each kind, the engine): plugin with version, and source digest."""
        found: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for record in self.measured:
            found[ENGINE].add(("", record.protocol_id))
            for kind, method in record.methods.items():
                found[kind].add((f"{method.plugin} {method.version}".strip(), method.digest[:12]))
        if not self.row.records:
            found[ENGINE].add(("", self.board.protocol_id))
        # Where records disagree, all that they say.
        return {part: (_joined(a for a, _ in said), _joined(b for _, b in said)) for part, said in found.items()}

    @cached_property
    def exact_sources(self) -> Mapping[str, str]:
        """Digest of the exact source that ran, by part; nothing of a committed board and of older records."""
        found: dict[str, set[str]] = defaultdict(set)
        for record in self.measured:
            found[ENGINE].add(record.source)
            for kind, method in record.methods.items():
                found[kind].add(method.source)
        return {part: _joined(said) for part, said in found.items() if "" not in said}

    @cached_property
    def machine(self) -> str:
        """Processor and threads; of a committed board the sentence of its footer."""
        if not self.row.records:
            return next((line for line in self.board.provenance if line.startswith(MEASURED_ON)), "")
        return _joined(_machine(record) for record in self.measured)


def setting_key(board: Board) -> str:
    """See ``MeasuredRow.setting``."""
    return json.dumps([board.task, board.fingerprint or board.dataset, board.protocol], sort_keys=True)


def side_of(results: Results) -> tuple[list[MeasuredRow], int]:
    """The rows of results, and how many older records of the same runs were left out. Raises ``DataDamaged``."""
    if results.boards:
        boards, older = read_boards(results), 0
    else:
        records, older = _latest(results.records)
        boards = [
            unranked_board(group, label, by_source=False, design=results.design) for label, group in grouped(records)
        ]
    return [MeasuredRow(row, board) for board in boards for row in board.rows], older


def _latest(records: Iterable[Record]) -> tuple[Sequence[Record], int]:
    """Of records of the same methods, setting and seed the one that finished last, and the number of the others."""
    latest: dict[str, Record] = {}
    number = 0
    for record in records:
        number += 1
        methods = {kind: [method.name, method.parameters] for kind, method in record.methods.items()}
        data = record.dataset.fingerprint or record.dataset.name
        key = json.dumps([record.task, data, record.protocol, methods, record.seed], sort_keys=True)
        latest[key] = max(latest.get(key, record), record, key=_age)
    return tuple(latest.values()), number - len(latest)


def _age(record: Record) -> tuple[Any, ...]:
    return record.status != "missing", record.finished, record.id


def _machine(record: Record) -> str:
    about = record.environment
    return f"{about.get('cpu', '')}, {about.get('threads') or 'all'} threads" if about.get("cpu") else ""


def _joined(texts: Iterable[str]) -> str:
    return " and ".join(sorted({*texts}))
