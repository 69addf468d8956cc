"""The values behind a mean: per query or per seed, paired over the methods of a board."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.boards.failures import done
from harness.boards.statistics import LEAST_UNITS, bootstrap_intervals, group_intervals
from harness.runs.record import Record

Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Units:
    """Values of the headline number of each method, by query or seed.

    Attributes:
        values: method -> query or seed -> value; methods without results are left out.
        shared: the queries or seeds that are compared.
        grouped: whether the units are queries, which are flipped and resampled by groups.
        groups: group of each query; one that has none is its own.
    """

    values: Mapping[str, Mapping[int, float]]
    shared: frozenset[int]
    grouped: bool = False
    groups: Mapping[int, int] = field(default_factory=dict)

    @cached_property
    def group_numbers(self) -> NDArray[np.intp]:
        """Group of each shared unit, in their order, numbered from 0."""
        return self._numbers(sorted(self.shared))

    @property
    def count(self) -> int:
        """Number of independent shared units: groups of queries, or seeds."""
        return len(np.unique(self.group_numbers)) if self.grouped else len(self.shared)

    def _numbers(self, units: Sequence[int]) -> NDArray[np.intp]:
        keys = [("group", self.groups[unit]) if unit in self.groups else ("query", unit) for unit in units]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        return np.array([numbers[key] for key in keys], np.intp)

    @property
    def paired(self) -> dict[str, Floats]:
        """Per method the values on the shared units; methods that lack one are left out."""
        order = sorted(self.shared)
        return {
            name: np.array([by_unit[unit] for unit in order], dtype=np.float64)
            for name, by_unit in self.values.items()
            if self.shared <= by_unit.keys()
        }

    def interval_of(self, values: Floats) -> Interval:
        """95% interval of the mean of one value a shared unit; (NaN, NaN) where there are too few."""
        low, high = self.intervals_of(values[:, None])[0].tolist()
        return low, high

    def intervals_of(self, values: Floats) -> Floats:
        """95% intervals (m, 2) of the means of ``values`` (n, m), one row a shared unit."""
        rng = np.random.default_rng(0)
        if self.grouped:
            return group_intervals(values, self.group_numbers, rng)
        return bootstrap_intervals(values, rng)

    def intervals(self) -> dict[str, Interval]:
        """95% interval of each mean, of methods with enough values; groups of queries are resampled whole.

        The same resamples for all with the same units: an interval does not depend on which other methods there are.
        """
        by_units: dict[tuple[int, ...], list[str]] = {}
        for name, by_unit in self.values.items():
            # Seeds are resampled alike whichever they are.
            units = tuple(sorted(by_unit)) if self.grouped else tuple(range(len(by_unit)))
            by_units.setdefault(units, []).append(name)
        intervals: dict[str, Interval] = {}
        for units, names in by_units.items():
            if len(units) < LEAST_UNITS:
                continue
            columns = np.array([[value for _, value in sorted(self.values[name].items())] for name in names]).T
            rng = np.random.default_rng(0)
            if self.grouped:
                found = group_intervals(columns, self._numbers(units), rng)
            else:
                found = bootstrap_intervals(columns, rng)
            # Rounded: the last digits of a matrix product depend on the processor, and files should not.
            bounds = zip(names, found.round(6).tolist(), strict=True)
            intervals |= {name: (low, high) for name, (low, high) in bounds if not math.isnan(low)}
        return intervals


def paired_units(
    values: Mapping[str, Mapping[int, float]], *, grouped: bool = False, groups: Mapping[int, int] | None = None
) -> Units:
    """Which queries (retrieval) or seeds (active learning) methods are compared on: those that most of them have.

    Of all the sets that a method has, the one that leaves the most values. So one method that failed for some seeds
    does not spoil the others' comparison.

    Args:
        values: of each method, by query or seed.
        grouped: whether the units are queries.
        groups: group of each query.
    """
    values = {name: by_unit for name, by_unit in values.items() if by_unit}
    sets = Counter(frozenset(by_unit) for by_unit in values.values())

    def left(units: frozenset[int]) -> tuple[int, int]:
        holders = sum(count for other, count in sets.items() if units <= other)
        return holders * len(units), holders

    return Units(values, max(sorted(sets, key=sorted), key=left, default=frozenset()), grouped, groups or {})


def query_values(records: Sequence[Record], metric: str) -> list[list[Any]]:
    """The values of every query of those records that hold them; None for a query that is left out of the mean."""
    key = re.sub("^map_", "ap_", metric)  # of other metrics the values have the name of their mean
    columns = (record.details.get(key) for record in records)
    return [column for column in columns if isinstance(column, list)]


def unit_values(records: Sequence[Record], metric: str) -> dict[int, float]:
    """Value per seed; for metrics of which records hold the values of each query, per query, averaged over seeds."""
    measured = done(records)
    lists = query_values(measured, metric)
    if not lists:
        return {record.seed: value for record in measured if (value := record.metrics.get(metric)) is not None}
    if len(lists) == 1:
        return {query: value for query, value in enumerate(lists[0]) if value is not None}
    values: dict[int, float] = {}
    for query in range(min(len(column) for column in lists)):
        aps = [column[query] for column in lists]
        if None not in aps:
            values[query] = math.fsum(aps) / len(aps)
    return values


def query_groups_of(records: Sequence[Record]) -> dict[int, int]:
    """Group of each query, as the records of one data set state it; nothing where older ones do not."""
    for record in records:
        groups = record.details.get("groups")
        if isinstance(groups, list) and groups:
            return {query: group for query, group in enumerate(groups) if isinstance(group, int)}
    return {}
