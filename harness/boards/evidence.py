"""The values behind a mean: per query or per seed, paired over the methods of a board."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.boards.failures import done
from harness.boards.statistics import LEAST_UNITS, bootstrap_intervals
from harness.runs.record import Record

Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Units:
    """Values of the headline number of each method, by query or seed.

    Attributes:
        values: method -> query or seed -> value; methods without results are left out.
        shared: the queries or seeds that are compared.
    """

    values: Mapping[str, Mapping[int, float]]
    shared: frozenset[int]

    @property
    def paired(self) -> dict[str, Floats]:
        """Per method the values on the shared units; methods that lack one are left out."""
        order = sorted(self.shared)
        return {
            name: np.array([by_unit[unit] for unit in order], dtype=np.float64)
            for name, by_unit in self.values.items()
            if self.shared <= by_unit.keys()
        }

    def intervals(self) -> dict[str, Interval]:
        """95% interval of each mean, of methods with enough values.

        The same resamples for all with as many values: an interval does not depend on which other methods there are.
        """
        by_size: dict[int, list[str]] = {}
        for name, by_unit in self.values.items():
            by_size.setdefault(len(by_unit), []).append(name)
        intervals: dict[str, Interval] = {}
        for size, names in by_size.items():
            if size < LEAST_UNITS:
                continue
            columns = np.array([[value for _, value in sorted(self.values[name].items())] for name in names]).T
            # Rounded: the last digits of a matrix product depend on the processor, and files should not.
            bounds = bootstrap_intervals(columns, np.random.default_rng(0)).round(6).tolist()
            intervals |= {name: (low, high) for name, (low, high) in zip(names, bounds, strict=True)}
        return intervals


def paired_units(values: Mapping[str, Mapping[int, float]]) -> Units:
    """Which queries (retrieval) or seeds (active learning) methods are compared on: those that most of them have.

    Of all the sets that a method has, the one that leaves the most values. So one method that failed for some seeds
    does not spoil the others' comparison.

    Args:
        values: of each method, by query or seed.
    """
    values = {name: by_unit for name, by_unit in values.items() if by_unit}
    sets = Counter(frozenset(by_unit) for by_unit in values.values())

    def left(units: frozenset[int]) -> tuple[int, int]:
        holders = sum(count for other, count in sets.items() if units <= other)
        return holders * len(units), holders

    return Units(values, max(sorted(sets, key=sorted), key=left, default=frozenset()))


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
