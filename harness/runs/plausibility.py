"""Whether a record can be what a run left: the one place that decides it, at every read and before every write.

A checksum shows damage, not a forgery, whose author signs it again. What is checked here costs little: that the id
follows from the record, that numbers are in their ranges, and that headline numbers follow from the details. What needs
the rankings or the data is checked by ``harness records verify``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from harness.core.text import is_printable, sentence
from harness.runs.identity import protocol_identity, recorded_id
from harness.runs.record import Number, Record

_ROUNDING: Final = 1e-6
_MOST: Final = 1e15
"""More seconds, bytes or labels than anything has."""
_LABELS: Final = "labels_to@"
_SHOWN: Final = 80


class Implausible(ValueError):
    """What a record says cannot be."""


def implausible(record: Record) -> str:
    """The first thing that is wrong with a record of a run that ended; empty if nothing is."""
    try:
        _check_names(record)
        _check_outcome(record)
        _check_costs(record)
        if record.status == "done":
            (_check_rankings if record.task == "retrieval" else _check_cycles)(record)
        protocol = protocol_identity(record.task, record.protocol, record.versions)
        if protocol != record.protocol_id:
            raise Implausible(f"its protocol is {_shown(record.protocol_id)}; from its options follows {protocol}")
        if (derived := recorded_id(record)) != record.id:
            raise Implausible(f"its id is {_shown(record.id)}; from what it says follows {derived}")
    except ValueError as reason:  # also of what JSON does not have
        return sentence(reason)
    return ""


def _check_names(record: Record) -> None:
    names = [record.id, record.protocol_id, record.dataset.name, record.dataset.loader, record.preset or ""]
    names += [record.started, record.finished, *record.metrics, *record.figures, *record.cost]
    for kind, method in record.methods.items():
        names += [kind, method.name, method.plugin, method.version, *method.parameters]
        if method.kind != kind:
            raise Implausible(f"its {_shown(kind)} is a {_shown(method.kind)}")
    for name in names:
        if not is_printable(name):
            raise Implausible(f"the name {_shown(name)} cannot be shown")


def _check_outcome(record: Record) -> None:
    if record.status == "missing":
        raise Implausible("it is of a run that was not done")
    if (record.status == "failed") != (record.failure is not None):
        raise Implausible(f"it is {record.status} and has {'a' if record.failure else 'no'} failure")
    if record.status == "failed" and record.metrics:
        raise Implausible("it failed and has metrics")
    if record.status == "done" and not record.metrics:
        raise Implausible("it is done and has no metrics")
    if not 0 <= record.seed < 2**63:
        raise Implausible(f"its seed is {record.seed}")
    for name, value in record.metrics.items():
        _require(f"the metric {name}", value, _largest(name))


def _largest(metric: str) -> float:
    """What a metric is at most: a share, but for numbers of labels and UKBench's right ones of four."""
    return _MOST if metric.startswith(_LABELS) else 4.0 if metric.startswith("ukbench") else 1.0


def _check_costs(record: Record) -> None:
    for stage, cost in record.cost.items():
        for name in ("wall_s", "cpu_s", "peak_bytes"):
            _require(f"{name} of {stage}", getattr(cost, name), _MOST)
    for values in (record.figures, record.dataset.counts):
        for name, value in values.items():
            _require(name, value, _MOST)


def _check_rankings(record: Record) -> None:
    """Average precisions are shares, one a query, and their mean is the metric."""
    queries = record.dataset.counts.get("queries")
    if not record.measured_by and (
        missing := [
            name for name in record.metrics if name.startswith("map_") and f"ap{name[3:]}" not in record.details
        ]
    ):
        raise Implausible(f"it has the metric {_shown(missing[0])} without the values of the queries")
    for name, precisions in record.details.items():
        if not name.startswith("ap_"):
            continue
        values = _numbers(name, precisions)
        if queries is not None and len(values) != queries:
            raise Implausible(f"it has {queries} queries and {len(values)} values of {name}")
        for value in values:
            _require(f"a value of {name}", value, 1.0)
        known = [value for value in values if value is not None]
        mean = math.fsum(known) / len(known) if known else None
        _require_equal(record, f"map_{name.removeprefix('ap_')}", mean)
    _check_ids(record.details.get("ranks", []), record.dataset.counts)


def _check_ids(ranks: Any, counts: Mapping[str, int]) -> None:
    """Rankings are lists of ids of the database; they are empty where a record is read without them."""
    if not isinstance(ranks, list):
        raise Implausible("its ranks are not lists")
    for row in ranks:
        if not isinstance(row, list) or any(kind is not int for kind in set(map(type, row))):
            raise Implausible("its ranks are not lists of ids")
        if row and (min(row) < 0 or max(row) >= counts.get("images", max(row) + 1) or len(set(row)) < len(row)):
            raise Implausible("its ranks have an id twice, or one that the database does not have")


def _check_cycles(record: Record) -> None:
    """Accuracies are shares, numbers of labels rise, and the metrics follow from both."""
    cycles = record.details.get("cycles")
    if not isinstance(cycles, list) or not cycles or not all(isinstance(cycle, dict) for cycle in cycles):
        raise Implausible("its cycles are not a list of cycles")
    accuracy = _numbers("accuracy", [cycle.get("accuracy") for cycle in cycles])
    labels = _numbers("n_labelled", [cycle.get("n_labelled") for cycle in cycles])
    known = [value for value in accuracy if value is not None]
    counted = [value for value in labels if value is not None]
    if len(known) < len(cycles) or len(counted) < len(cycles):
        raise Implausible("a cycle has no accuracy or no number of labels")
    for share in known:
        _require("the accuracy of a cycle", share, 1.0)
    if any(later <= earlier for earlier, later in zip(counted, counted[1:], strict=False)) or counted[0] < 0:
        raise Implausible("its numbers of labels do not rise from cycle to cycle")
    for name, expected in _expected_of_cycles(record.metrics, counted, known):
        _require_equal(record, name, expected)


def _expected_of_cycles(
    metrics: Iterable[str], labels: Sequence[float], accuracy: Sequence[float]
) -> Iterator[tuple[str, Number]]:
    from harness.metrics.classification import area_under_curve, labels_needed

    yield "accuracy", accuracy[-1]
    yield "area_under_curve", area_under_curve(labels, accuracy)
    yield from ((f"accuracy@{count:g}", value) for count, value in zip(labels, accuracy, strict=True))
    for name in metrics:
        if name.startswith(_LABELS):
            try:
                needed = labels_needed(labels, accuracy, float(name.removeprefix(_LABELS)))
            except ValueError:
                raise Implausible(f"{_shown(name)} is no metric") from None
            yield name, None if math.isnan(needed) else needed


def _require(what: str, value: Number, most: float) -> None:
    if value is not None and not 0 <= value <= most * (1 + 1e-9):
        raise Implausible(f"{_shown(what)} is {value:g}, which is not in 0 to {most:g}")


def _require_equal(record: Record, name: str, expected: Number) -> None:
    """A metric that is recorded is what follows from the details."""
    if name not in record.metrics:
        return
    value = record.metrics[name]
    if value is None or expected is None:
        same = value is expected
    else:
        same = abs(value - expected) <= _ROUNDING * max(1.0, abs(expected))
    if not same:
        raise Implausible(f"the metric {name} is {value}; from its details follows {expected}")


def _numbers(name: str, values: Any) -> list[Number]:
    """A list of numbers, None where one is not defined."""
    if not isinstance(values, list):
        raise Implausible(f"{_shown(name)} is not a list")
    for value in values:
        if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
            raise Implausible(f"{_shown(name)} has {_shown(value)}, which is not a number")
    return values


def _shown(value: object) -> str:
    return sentence(value if isinstance(value, str) else repr(value), _SHOWN)
