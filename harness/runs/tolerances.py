"""Differences that a user accepts, by metric."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from harness.core.errors import BadParameter, UnknownName, nearest

ALL: Final = ""
"""Key of the tolerance for metrics that have none of their own."""

Tolerances = Mapping[str, float]
"""Metric -> points, as tables show them: hundredths of a share; for ``labels_to@T`` labels."""


def parse_tolerances(texts: Iterable[str]) -> dict[str, float]:
    """``["0.5", "map_hard=1"]`` as metric -> points. Raises ``BadParameter`` for what is not a number of 0 or more."""
    tolerances = {}
    for text in texts:
        metric, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not (math.isfinite(value) and value >= 0):
            raise BadParameter(f'bad tolerance "{text}"', fix="give points, 0.5, or of one metric, map_hard=0.5")
        tolerances[metric] = value
    return tolerances


def require_metrics(tolerances: Tolerances, metrics: Iterable[str]) -> None:
    """Raise ``UnknownName`` for the tolerance of a metric that is not among ``metrics``: nothing would heed it."""
    known = {*metrics, ALL}
    for metric in tolerances:
        if metric not in known:
            fix = f"{nearest(metric, known)} metrics: {', '.join(sorted(known - {ALL}))}".strip()
            raise UnknownName(f'a tolerance is for "{metric}", which no record has', fix=fix)


def for_metrics(tolerances: Tolerances | None, metrics: Iterable[str]) -> Tolerances | None:
    """Of tolerances for several records those that one with these metrics can heed; None where none were given."""
    known = {*metrics, ALL}
    own = {metric: points for metric, points in (tolerances or {}).items() if metric in known}
    return (own or {ALL: 0.0}) if tolerances else None  # that some were given says that details do not count


def tolerated(tolerances: Tolerances, metric: str) -> float | None:
    """The tolerance of a metric, None where none was given."""
    return tolerances.get(metric, tolerances.get(ALL))


def scale(metric: str) -> float:
    """Factor from the number in a record to what tables show and tolerances mean: shares are shown in points."""
    return 1.0 if metric.startswith("labels_to@") else 100.0
