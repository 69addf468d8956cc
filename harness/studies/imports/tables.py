"""Any table of results in CSV, by a mapping file that says what its columns are.

task: active-learning            # or retrieval
measured_by: A. Author, 2024     # who measured it
dataset: {column: data}          # or a name that holds for all rows: dataset: cifar10
methods: {acquisition: {column: strategy}}
protocol: {budget: {column: b}}  # what makes a setting, and so a board; may be left out
seed: {column: run}              # may be left out: 0
unit: percent                    # of accuracies and metrics; or fraction
labels: {column: n}              # active learning: one row a cycle
accuracy: {column: acc}
metrics: {map_medium: {column: mAP}}   # retrieval: one row a run, columns of boards by their keys
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.document import plain, read_document, shape_error
from harness.core.errors import DataDamaged, DataMissing, Errors, SpecError
from harness.core.text import sentence
from harness.plugin_api import KINDS
from harness.runs.record import Record
from harness.studies.imports.records import LARGEST, Imported, curve, imported_record, published_dataset

_METRIC: Final = re.compile(r"(map|mp@\d{1,4})_(easy|medium|hard)|(map|recall)@\d{1,4}|map")
_DELIMITERS: Final = ",;\t"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Column(_Part):
    """A column of the table."""

    column: str


_Value = _Column | str | int | float


class _Mapping(_Part):
    """The keys of a mapping file."""

    task: Literal["retrieval", "active-learning"]
    measured_by: Annotated[str, MinLen(1)]
    dataset: _Value
    methods: Annotated[dict[str, _Value], MinLen(1)]
    protocol: dict[str, _Value] = {}
    seed: _Column | int = 0
    unit: Literal["percent", "fraction"] = "fraction"
    delimiter: Annotated[str, Field(pattern=f"^[{_DELIMITERS}]$")] = ","
    labels: _Column | None = None
    accuracy: _Column | None = None
    metrics: dict[str, _Column] = {}

    def columns(self) -> Iterator[str]:
        """The columns that it names."""
        values = [self.dataset, self.seed, self.labels, self.accuracy, *self.methods.values()]
        for value in (*values, *self.protocol.values(), *self.metrics.values()):
            if isinstance(value, _Column):
                yield value.column


def import_table(path: Path, mapping: Path) -> Imported:
    """The runs of a table: rows of one dataset, methods, protocol and seed are one run.

    Args:
        path: CSV file with a first row of names.
        mapping: YAML file that says what its columns are.

    Raises:
        SpecError, Errors: mistakes in the mapping.
        DataMissing, DataDamaged: no such table, or not one that the mapping describes.
    """
    meant = _read_mapping(mapping)
    groups: dict[tuple[Any, ...], list[tuple[int, Mapping[str, str]]]] = {}
    for number, row in _rows(path, meant):
        value = _value_of(row)
        key = (
            str(value(meant.dataset)),
            tuple((kind, str(value(name))) for kind, name in meant.methods.items()),
            tuple((name, value(option)) for name, option in meant.protocol.items()),
            value(meant.seed),
        )
        groups.setdefault(key, []).append((number, row))
    records: list[Record] = []
    for (dataset, methods, protocol, seed), rows in groups.items():
        where = f"{path}, line {rows[0][0]}"
        outcome = _curve(path, rows, meant) if meant.task == "active-learning" else _metrics(path, rows, meant)
        try:
            named: dict[str, tuple[str, dict[str, Any]]] = {kind: (name, {}) for kind, name in methods}
            about = published_dataset(path.stem, dataset)
            by, number = meant.measured_by, int(seed)
            if abs(number) > LARGEST:
                raise ValueError(f"{seed} is no seed")
            records.append(imported_record(meant.task, about, named, dict(protocol), by, outcome, seed=number))
        except ValueError as error:
            raise DataDamaged(f"{where}: {sentence(error)}") from error
        except DataDamaged as error:
            raise DataDamaged(f"{where}: {error.headline}") from error
    return Imported(tuple(records))


def _read_mapping(path: Path) -> _Mapping:
    document = read_document(path, "mapping")
    try:
        meant = _Mapping.model_validate(plain(document.data))
    except ValidationError as error:
        raise Errors([shape_error(document, dict(d), list(_Mapping.model_fields)) for d in error.errors()]) from None
    curves = meant.labels is not None and meant.accuracy is not None
    if meant.task == "active-learning" and not curves:
        raise SpecError(f"{path} names no labels and accuracy", fix="labels: {column: ...}, accuracy: {column: ...}")
    if meant.task == "retrieval" and not meant.metrics:
        raise SpecError(f"{path} names no metrics", fix="metrics: {map_medium: {column: ...}}")
    if unknown := [kind for kind in meant.methods if kind not in (*KINDS, "ranking")]:
        raise SpecError(f'{path}: there is no kind "{unknown[0]}"', fix=f"kinds: {', '.join(KINDS)}, ranking")
    if wrong := [key for key in meant.metrics if not _METRIC.fullmatch(key)]:
        raise SpecError(
            f'{path}: "{wrong[0]}" is no metric of boards', fix="map_medium, mp@10_hard, map, map@5, recall@1"
        )
    return meant


def _rows(path: Path, meant: _Mapping) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line and cells by column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter=meant.delimiter, strict=True)
            missing = [name for name in meant.columns() if name not in (reader.fieldnames or ())]
            if missing:
                fix = f"columns: {', '.join(map(str, reader.fieldnames or ()))}"
                raise DataDamaged(f"{path} has no column {missing[0]!r}", fix=sentence(fix, 300))
            for row in reader:
                if None in row or None in row.values():
                    raise DataDamaged(f"{path}, line {reader.line_num} has more or fewer cells than the first")
                yield reader.line_num, row
    except FileNotFoundError as error:
        raise DataMissing(f"there is no table {path}") from error
    except (OSError, ValueError, csv.Error) as error:
        raise DataDamaged(f"{path} cannot be read: {error}") from error


def _value_of(row: Mapping[str, str]) -> Any:
    return lambda value: row[value.column] if isinstance(value, _Column) else value


def _curve(path: Path, rows: Sequence[tuple[int, Mapping[str, str]]], meant: _Mapping) -> dict[str, dict[str, Any]]:
    points: dict[int, float] = {}
    for number, row in rows:
        labels = _number(path, number, row, meant.labels)
        if labels != int(labels) or not 0 <= labels <= LARGEST:
            raise DataDamaged(f"{path}, line {number}: {labels:g} is not a number of labels")
        if int(labels) in points:
            raise DataDamaged(f"{path}, line {number}: {int(labels)} labels are there twice for one run")
        points[int(labels)] = _share(path, number, row, meant.accuracy, meant)
    ordered = sorted(points)
    return curve(ordered, [points[labels] for labels in ordered])


def _metrics(path: Path, rows: Sequence[tuple[int, Mapping[str, str]]], meant: _Mapping) -> dict[str, dict[str, Any]]:
    if len(rows) > 1:
        raise DataDamaged(
            f"{path}, lines {rows[0][0]} and {rows[1][0]} are of one run", fix="name what tells them apart as protocol"
        )
    ((number, row),) = rows
    return {"metrics": {key: _share(path, number, row, column, meant) for key, column in meant.metrics.items()}}


def _share(path: Path, number: int, row: Mapping[str, str], column: _Column | None, meant: _Mapping) -> float:
    value = _number(path, number, row, column) / (100 if meant.unit == "percent" else 1)
    if not 0 <= value <= 1:
        shown = row[column.column] if column else ""
        raise DataDamaged(f"{path}, line {number}: {shown} is not in the range of a {meant.unit}", fix="unit: percent")
    return value


def _number(path: Path, number: int, row: Mapping[str, str], column: _Column | None) -> float:
    text = row[column.column] if column else ""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataDamaged(f"{path}, line {number}: {sentence(repr(text), 80)} is not a number")
    return value
