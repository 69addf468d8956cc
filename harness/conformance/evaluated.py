"""Evaluation protocols and metrics as things that ``harness verify`` compares, beside methods."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from harness.core.errors import UnknownName, nearest, nearest_or_all
from harness.plugin_api import EvidenceFunction

KINDS: Final = ("protocol", "metric")
_METRICS: Final[Mapping[str, tuple[str, str]]] = {
    "retrieval": ("harness.metrics.ranking", "evaluate"),
    "accuracy": ("harness.metrics.classification", "accuracy"),
    "area-under-curve": ("harness.metrics.classification", "area_under_curve"),
    "labels-needed": ("harness.metrics.classification", "labels_needed"),
}
"""Metric -> module and function. ``retrieval``: mAP and mP@k of the easy, medium and hard set-ups."""
_REFERENCES: Final = "harness_evidence"


@cache
def labels() -> tuple[str, ...]:
    """``protocol:gldv2-map``, ..., ``metric:accuracy``: all of the catalogue, then the metrics."""
    from harness.metrics.protocols import PROTOCOLS

    return (*(f"protocol:{name}" for name in PROTOCOLS), *(f"metric:{name}" for name in _METRICS))


def named(target: str, kind: str | None) -> list[str]:
    """The labels that a target and a kind name.

    Raises:
        UnknownName: the kind is one of these, and has no such name.
    """
    own = [label for label in labels() if kind in (None, label.partition(":")[0])]
    found = [label for label in own if target in ("--all", label, label.partition(":")[2])]
    if kind in KINDS and not found:
        names = [label.partition(":")[2] for label in own]
        fix = f"{nearest(target, names)} metrics: {', '.join(names)}".strip()
        if kind == "protocol":
            fix = nearest_or_all(target, names, "harness evaluate --list")
        raise UnknownName(f'unknown {kind} "{target}"', fix=fix)
    return found


def compared(label: str) -> tuple[EvidenceFunction, Callable[..., Any]]:
    """The comparisons of a label, and what they compare."""
    kind, _, name = label.partition(":")
    if kind == "protocol":
        from harness.metrics.protocols import evaluate_protocol

        function: EvidenceFunction = importlib.import_module(f"{_REFERENCES}.protocols").protocol(name)
        return function, evaluate_protocol
    module, attribute = _METRICS[name]
    reference = getattr(importlib.import_module(f"{_REFERENCES}.metrics"), name.replace("-", "_"))
    return reference, getattr(importlib.import_module(module), attribute)
