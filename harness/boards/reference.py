"""Published numbers beside a spec: ``reference.yaml``, read and checked as a whole.

    source: {work: "A. Author. Title. 2020", table: Table 1, lines: [100, 110]}
    unit: percent                    # or plain; of single columns too
    digits: 1
    columns:
      - {title: "Medium, ROxford mAP", dataset: roxford5k, metric: map_medium}
    common: {pooling: gem}           # methods of every row
    rows:
      - name: V+DSM
        methods: {backbone: {vgg16: {weights: imagenet}}, reranking: dsm}
        values: [51.1]               # one a column; [mean, standard deviation]; null where nothing is published

A row stands for the records that have exactly its kinds of method, by name and with the parameters that it states, and
the protocol options that it states. What it leaves out may have any value; a row that states more counts before one
that states less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.core.document import Document, path_text, read_document
from harness.core.errors import BadParameter, Errors, HarnessError
from harness.runs.labels import SHOWN_KINDS, option
from harness.runs.record import Record

_CLOSE = 1e-4
"""Relative difference up to which two parameters are the same: 0.7071 stands for the root of one half."""

Unit = Literal["percent", "plain"]
Methods = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Kind -> the name of the method -> its parameters; one name a kind."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedSource(_Part):
    """Where the numbers stand."""

    work: str
    table: str
    lines: tuple[int, int] | None = None
    """First and last line in the plain text of the work, for checks."""


class PublishedColumn(_Part):
    """What the numbers of a column are."""

    title: str
    dataset: str
    metric: str
    """Key in the records, ``map_medium``; of the agreement study, ``agree``."""
    cycle: int | None = None
    """Of the agreement study: after which cycle."""
    unit: Unit | None = None
    digits: int | None = None

    @property
    def key(self) -> str:
        """Key of the column on a board."""
        return self.metric if self.cycle is None else f"{self.metric} after cycle {self.cycle}"


class PublishedRow(_Part):
    """One line of the table."""

    name: str
    methods: Methods = {}
    protocol: Mapping[str, Any] = {}
    values: Sequence[float | tuple[float, Annotated[float, Ge(0)]] | None]

    @field_validator("methods", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return _methods(value)


class Reference(_Part):
    """The published numbers of one table."""

    source: PublishedSource
    notes: Sequence[str] = ()
    study: Literal["leaderboard", "agreement"] = "leaderboard"
    unit: Unit = "percent"
    digits: Annotated[int, Ge(0), Le(6)] = 1
    columns: Sequence[PublishedColumn] = Field(min_length=1)
    common: Methods = {}
    protocol: Mapping[str, Any] = {}
    """Options under which all numbers were measured, image size and scales; under others they are not comparable."""
    protocols: Mapping[str, Mapping[str, Any]] = {}
    """The same of single datasets."""
    rows: Sequence[PublishedRow] = Field(min_length=1)

    @field_validator("common", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return _methods(value)

    def methods(self, row: PublishedRow) -> Methods:
        """The methods of a row, those of every row included."""
        return {**self.common, **row.methods}

    def scale(self, column: PublishedColumn) -> float:
        """What a record's value is multiplied by to be compared."""
        return 100.0 if (column.unit or self.unit) == "percent" else 1.0

    def decimals(self, column: PublishedColumn) -> int:
        """Decimals that are published."""
        return self.digits if column.digits is None else column.digits

    def of_dataset(self, dataset: str) -> list[tuple[int, PublishedColumn]]:
        """The columns of a dataset with their positions."""
        return [(position, column) for position, column in enumerate(self.columns) if column.dataset == dataset]

    def other_setting(self, dataset: str, protocol: Mapping[str, Any]) -> str:
        """A sentence that names options which are not those of the published numbers; empty where all fit.

        Args:
            dataset: name.
            protocol: options of what was measured.
        """
        stated = {**self.protocol, **self.protocols.get(dataset, {})}
        other = [
            f"{name} {option(protocol.get(name, 'absent'))} (published: {option(value)})"
            for name, value in stated.items()
            if not fits_options({name: value}, protocol)
        ]
        return f"Not comparable with the published numbers: {', '.join(other)}." if other else ""

    def row_of(self, record: Record) -> PublishedRow | None:
        """The row that a record belongs to: the one that states most, the first of equals."""
        fitting = [row for row in self.rows if self.fits(row, record)]
        return max(fitting, key=self._stated, default=None)

    def fits(self, row: PublishedRow, record: Record) -> bool:
        """Whether a record has the methods and options of a row."""
        methods = self.methods(row)
        if methods.keys() != record.methods.keys() or not fits_options(row.protocol, record.protocol):
            return False
        return all(
            record.methods[kind].name == name and fits_options(parameters, record.methods[kind].parameters)
            for kind, method in methods.items()
            for name, parameters in method.items()
        )

    def _stated(self, row: PublishedRow) -> int:
        return len(row.protocol) + sum(len(p) for method in self.methods(row).values() for p in method.values())


def read_reference(path: Path) -> Reference:
    """Read and check a file of published numbers.

    Raises:
        SpecError: it cannot be read or is not YAML.
        Errors: all mistakes found, each with its line.
    """
    document = read_document(path, "reference")
    try:
        reference = Reference.model_validate(_plain(document.data))
    except ValidationError as error:
        raise Errors([_error(document, detail) for detail in error.errors()]) from None
    if errors := list(_mistakes(reference, document)):
        raise Errors(errors)
    return reference


def fits_options(stated: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Whether the options hold everything stated with the same value; numbers up to a relative difference of 1e-4."""
    return all(name in options and _same(value, options[name]) for name, value in stated.items())


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if not (isinstance(a, int | float) and isinstance(b, int | float)):
        return bool(a == b)
    return math.isclose(a, b, rel_tol=_CLOSE)


def _mistakes(reference: Reference, document: Document) -> Iterable[HarnessError]:
    """What the shape alone does not show."""
    names = [row.name for row in reference.rows]
    for position, row in enumerate(reference.rows):
        at = ("rows", position)
        if len(row.values) != len(reference.columns):
            reason = f'row "{row.name}" has {len(row.values)} values for {len(reference.columns)} columns'
            yield document.error(BadParameter(reason, fix="one a column, null for none"), (*at, "values"))
        if row.name in names[:position]:
            yield document.error(BadParameter(f'duplicate row "{row.name}"', fix="give each its name"), at)
        for column, value in zip(reference.columns, row.values, strict=False):
            mean = value[0] if isinstance(value, tuple) else value
            if mean is not None and not 0 <= mean <= reference.scale(column):
                reason = (
                    f'{mean} in row "{row.name}", column "{column.title}" is not in [0, {reference.scale(column):g}]'
                )
                yield document.error(BadParameter(reason, fix="compare with the source"), (*at, "values"))
    keys = [(column.dataset, column.metric, column.cycle) for column in reference.columns]
    for position, key in enumerate(keys):
        if key in keys[:position]:
            yield document.error(BadParameter(f"duplicate column {key}", fix="one each"), ("columns", position))


def _methods(value: Any) -> Any:
    """``gem`` and ``{gem: {p: 3}}`` alike as ``{gem: {p: 3}}``."""
    if not isinstance(value, Mapping):
        return value
    if unknown := [kind for kind in value if kind not in SHOWN_KINDS]:
        raise ValueError(f'there is no kind "{unknown[0]}"; kinds: {", ".join(SHOWN_KINDS)}')
    named = {kind: {method: {}} if isinstance(method, str) else method for kind, method in value.items()}
    for kind, method in named.items():
        if not isinstance(method, Mapping) or len(method) != 1:
            raise ValueError(f"{kind} should be a name, or {{name: {{parameter: value}}}}")
    return named


def _error(document: Document, detail: Any) -> HarnessError:
    at = tuple(step for step in detail["loc"] if not isinstance(step, str) or not step.startswith(("float", "tuple")))
    reason = str(detail["msg"]).removeprefix("Value error, ")
    return document.error(BadParameter(f"{path_text(at)}: {reason}"), at)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, float) else value
