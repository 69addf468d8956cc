"""The values behind a mean: per query or per seed, paired over the methods of a board, and what they say in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from harness.report.statistics import LEVEL, POWER, Comparison
from harness.runs.record import Record

Values = Mapping[str, "np.ndarray[tuple[int], np.dtype[np.float64]]"]


def paired_values(groups: Mapping[str, Sequence[Record]], metric: str) -> Values:
    """Per method the values of ``metric`` on the queries (retrieval) or seeds (active learning) that all have.

    Args:
        groups: records of each method that has results; methods without are left out.
        metric: key of the headline number, ``map_medium`` or ``accuracy``.
    """
    units = {name: unit_values(records, metric) for name, records in groups.items()}
    units = {name: values for name, values in units.items() if values}
    shared = sorted(set.intersection(*(set(values) for values in units.values()))) if units else []
    return {name: np.array([values[unit] for unit in shared], dtype=np.float64) for name, values in units.items()}


def sentence(comparison: Comparison, task: str, scale: float = 100.0) -> str:
    """What the ranks of a board mean, for its footer."""
    unit = "queries" if task == "retrieval" else "seeds"
    if comparison.tests == 0:
        return ""
    if not comparison.can_decide:
        needed = math.ceil(1 + math.log2(comparison.tests / LEVEL))
        return (
            f"With {comparison.pairs} paired {unit} and {comparison.tests} comparison(s) no difference can be called "
            f"significant, so all methods share rank 1; that takes at least {needed} {unit}."
        )
    least = f"{comparison.detectable * scale:.1f}" if math.isfinite(comparison.detectable) else "unknown"
    return (
        f"Methods that share a rank cannot be told apart ({comparison.pairs} paired {unit}, randomisation test, "
        f"Holm-corrected over {comparison.tests} comparisons, {LEVEL:.0%} level); a true difference of {least} points "
        f"would have been found in {POWER:.0%} of such comparisons. Intervals: bootstrap over {unit}, 95%."
    )


def unit_values(records: Sequence[Record], metric: str) -> dict[int, float]:
    """Value per seed; for retrieval per query, averaged over seeds."""
    done = [record for record in records if record.status == "done"]
    columns = [record.details.get("ap_" + metric.removeprefix("map_")) for record in done]
    known = [column for column in columns if isinstance(column, list)]
    if not known:
        return {record.seed: value for record in done if (value := record.metrics.get(metric)) is not None}
    values: dict[int, float] = {}
    for query in range(min((len(column) for column in known), default=0)):
        aps = [column[query] for column in known]
        if None not in aps:
            values[query] = math.fsum(aps) / len(aps)
    return values
