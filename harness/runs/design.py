"""What a comparison tests, fixed in its spec before the runs: the measure, the baseline, the smallest difference."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harness.core.errors import BadParameter, HarnessError, SpecError, UnknownName, nearest

AREA: Final = "area"
AREA_LINEAR: Final = "area-linear"
ACCURACY: Final = "accuracy"
LABELS_TO: Final = "labels-to"
DEFAULT_MEASURE: Final[Mapping[str, str]] = {"retrieval": "map_medium", "active-learning": AREA}
_MEASURES: Final[Mapping[str, tuple[str, ...]]] = {
    "retrieval": ("map_easy", "map_medium", "map_hard"),
    "active-learning": (AREA, AREA_LINEAR, ACCURACY),
}
_AT_BUDGET: Final = re.compile(r"accuracy@([1-9]\d*)")
_TO_TARGET: Final = re.compile(r"labels-to@(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Rule:
    """The rule of a test that adds seeds until all is decided, fixed before its start and kept beside the records.

    Attributes:
        name: of the spec.
        seeds: in the order in which they are added.
        measure: what is tested.
        baseline: words of the method that all others are compared with; empty compares all pairs.
        smallest: points below which two methods count as equal; None for no such claim.
        methods: what is compared.
    """

    name: str
    seeds: tuple[int, ...]
    measure: str
    baseline: str
    smallest: float | None
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """What is tested.

    Attributes:
        measure: ``map_medium`` or the key of a metric of an evaluation protocol, ``gldv2-map@100``; ``area``,
            ``area-linear``, ``accuracy`` (with most labels), ``accuracy@100`` or ``labels-to@90``; empty for the
            default of the task.
        baseline: the row that all others are compared with, by name or by words of it; empty for none.
        smallest_difference: points below which two methods count as equal; None where that was not said.
        rule: of a test that added seeds until all was decided; None otherwise.
        seen: seeds that were planned when a verdict was first shown, by board (``harness.runs.looks``).
    """

    measure: str = ""
    baseline: str = ""
    smallest_difference: float | None = None
    rule: Rule | None = None
    seen: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def budget_of(measure: str) -> int | None:
    """The number of labels of ``accuracy@100``."""
    match = _AT_BUDGET.fullmatch(measure)
    return int(match[1]) if match else None


def target_of(measure: str) -> float | None:
    """The accuracy, a share, of ``labels-to@90``."""
    match = _TO_TARGET.fullmatch(measure)
    return float(match[1]) / 100 if match else None


def read_design(data: Mapping[str, Any], task: str) -> tuple[Design, list[tuple[HarnessError, str]]]:
    """The design that a spec states, and its mistakes with their keys.

    Args:
        data: content of the spec.
        task: its task.
    """
    errors: list[tuple[HarnessError, str]] = []
    measure = _measure_text(data.get("measure"))
    errors += [(error, "measure") for error in measure_mistakes(measure, task)]
    if measure and task == "retrieval" and not errors:
        measure = _metric_key(measure) or measure
    smallest = data.get("smallest_difference")
    is_number = isinstance(smallest, int | float) and not isinstance(smallest, bool)
    if smallest is not None and not (is_number and math.isfinite(smallest) and smallest > 0):
        error = BadParameter(
            f"smallest_difference {smallest!r} is no number above 0", fix="give points as tables show them, 1.5"
        )
        errors.append((error, "smallest_difference"))
        smallest = None
    baseline = data.get("baseline")
    if baseline is not None and (not isinstance(baseline, str) or not baseline.strip()):
        errors.append((SpecError("baseline should name one method", fix="baseline: random"), "baseline"))
        baseline = None
    return Design(measure, baseline or "", smallest), errors


def _measure_text(stated: Any) -> str:
    if isinstance(stated, Mapping) and list(stated) == [LABELS_TO]:
        return f"{LABELS_TO}@{stated[LABELS_TO]}"
    return "" if stated is None else str(stated)


def _metric_key(measure: str) -> str | None:
    """The key in records of a metric of an evaluation protocol, ``mAP@100(gldv2, hard)``; None of another measure."""
    from harness.metrics.protocols import parse_name

    try:
        return parse_name(measure).key
    except UnknownName:
        return None


def measure_mistakes(measure: str, task: str) -> Iterator[HarnessError]:
    """What is wrong with the name of a measure; nothing for an empty one."""
    known = _MEASURES[task]
    forms = [*known, "accuracy@LABELS", "{labels-to: ACCURACY}"]
    if task == "retrieval":
        forms = [*known, "or the name of a metric (harness evaluate --list)"]
    target = target_of(measure) if task != "retrieval" else None
    curve = task != "retrieval" and (budget_of(measure) is not None or target is not None)
    if measure and measure not in known and not curve and not (task == "retrieval" and _metric_key(measure)):
        fix = f"{nearest(measure, known)} measures of this task: {', '.join(forms)}".strip()
        yield SpecError(f'unknown measure "{measure}"', fix=fix)
    elif target is not None and not 0 < target < 1:
        yield BadParameter(f"{measure} is no accuracy between 0 and 100", fix="labels-to: 90")
