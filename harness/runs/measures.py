"""The number of each run that a comparison tests: of learning curves one for all methods of a table together."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.verdicts.curves import area, labels_to
from harness.runs.design import ACCURACY, AREA, AREA_LINEAR, budget_of, target_of
from harness.runs.record import Record

Floats = NDArray[np.float64]
_ACCURACY: Final = re.compile(r"accuracy@(\d+)")


@dataclass(frozen=True)
class Curves:
    """Learning curves of one method.

    Attributes:
        budgets: (L,) numbers of labels, rising.
        seeds: (n,) those that have all budgets.
        accuracy: (n, L).
    """

    budgets: Floats
    seeds: tuple[int, ...]
    accuracy: Floats


@dataclass(frozen=True)
class Measured:
    """The measure of every method of a table.

    Attributes:
        measure: what it is, ``area`` or ``accuracy@100``; ``accuracy@...`` where an area was asked for and there is one
            number of labels only.
        values: method -> seed -> what is tested, more is better.
        shown: method -> seed -> what is shown: labels of ``labels-to``, else as tested.
        first: number of labels from which an area counts.
        last: up to which an area counts, or labels are looked for.
        reached: method -> number of seeds that reached the target of ``labels-to``.
    """

    measure: str
    values: Mapping[str, Mapping[int, float]]
    shown: Mapping[str, Mapping[int, float]]
    first: float = 0.0
    last: float = 0.0
    reached: Mapping[str, int] = field(default_factory=dict)


@functools.lru_cache(maxsize=4096)
def labels_of(metric: str) -> int | None:
    """The number of labels of the metric ``accuracy@100``, None of another."""
    match = _ACCURACY.fullmatch(metric)
    return int(match[1]) if match else None


def curves(records: Iterable[Record]) -> Curves | None:
    """The curves of one method, of the seeds that have all of its budgets; None where there are none."""
    by_seed = {record.seed: _curve(record) for record in records if record.status == "done"}
    budgets = sorted({n for curve in by_seed.values() for n in curve})
    seeds = sorted(seed for seed, curve in by_seed.items() if len(curve) == len(budgets))
    if not budgets or not seeds:
        return None
    accuracy = np.array([[by_seed[seed][n] for n in budgets] for seed in seeds])
    return Curves(np.array(budgets, np.float64), tuple(seeds), accuracy)


def _curve(record: Record) -> dict[int, float]:
    points = ((labels_of(name), value) for name, value in record.metrics.items())
    return {labels: value for labels, value in points if labels is not None and value is not None}


def measured(methods: Mapping[str, Sequence[Record]], measure: str) -> Measured:
    """The measure of every method; methods without results have no values.

    Args:
        methods: method -> its records, of all seeds.
        measure: of active learning, as a ``Design`` states it.
    """
    found = {name: curve for name, records in methods.items() if (curve := curves(records)) is not None}
    if not found:
        return Measured(measure, {}, {})
    first = max(float(curve.budgets[0]) for curve in found.values())
    last = min(float(curve.budgets[-1]) for curve in found.values())
    target = target_of(measure)
    if target is not None:
        return _labels_to(found, measure, target, last)
    if measure in (AREA, AREA_LINEAR) and 0 < first < last:
        log = measure == AREA
        values = {
            name: dict(zip(c.seeds, area(c.budgets, c.accuracy, first, last, log=log).tolist(), strict=True))
            for name, c in found.items()
        }
        return Measured(measure, values, values, first, last)
    return _accuracy(found, measure)


def _accuracy(found: Mapping[str, Curves], measure: str) -> Measured:
    """Accuracy with a number of labels: the one asked for, else the largest that any method has."""
    asked = budget_of(measure)
    labels = asked if asked is not None else max(int(curve.budgets[-1]) for curve in found.values())
    values = {}
    for name, curve in found.items():
        at = np.flatnonzero(curve.budgets == labels)
        if len(at):
            values[name] = dict(zip(curve.seeds, curve.accuracy[:, at[0]].tolist(), strict=True))
    return Measured(f"{ACCURACY}@{labels}", values, values)


def _labels_to(found: Mapping[str, Curves], measure: str, target: float, last: float) -> Measured:
    values, shown, counts = {}, {}, Counter[str]()
    for name, curve in found.items():
        labels, reached = labels_to(curve.budgets, curve.accuracy, target, last)
        shown[name] = dict(zip(curve.seeds, labels.tolist(), strict=True))
        values[name] = dict(zip(curve.seeds, (-np.log2(labels)).tolist(), strict=True))
        counts[name] = int(reached.sum())
    return Measured(measure, values, shown, last=last, reached=counts)
