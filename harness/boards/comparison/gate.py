"""A verdict for continuous integration: worse, fine, or nothing to judge by, each with its own exit code."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.boards.comparison.changes import Change, Changes, MethodChange
from harness.boards.comparison.matching import UNKNOWN
from harness.boards.comparison.report import difference_text
from harness.boards.failures import NOT_RUN
from harness.boards.footer import detectable_text
from harness.core.errors import DONE, NOTHING_MEASURED, REGRESSION
from harness.runs.tolerances import Tolerances, require_metrics, tolerated


@dataclass(frozen=True)
class Gate:
    """The verdict on a comparison.

    Attributes:
        exit_code: 0 fine, 5 something is worse, 6 something could not be judged.
        worse: a sentence for each method that got worse.
        unknown: a sentence for each method that could not be judged.
        summary: one sentence for the log.
    """

    exit_code: int
    worse: tuple[str, ...]
    unknown: tuple[str, ...]
    summary: str


def judge(changes: Changes, *, tolerance: Tolerances | None = None, allow_missing: bool = False) -> Gate:
    """Whether anything got significantly worse, and by more than is tolerated.

    A method is worse when the paired test says so (``harness.boards.comparison``) and the loss is larger than the
    tolerance; where no test can say anything (too few queries or seeds, or only means are known), when the loss is
    larger than a tolerance that was given; and when runs fail that did not fail before.

    Args:
        changes: of ``harness.compare``.
        tolerance: metric -> loss that is accepted, in points as tables show them; under ``""`` for all others
            (``harness.runs.tolerances``).
        allow_missing: whether methods that the other side lacks are accepted.

    Raises:
        UnknownName: a tolerance is for a metric that no method has.
    """
    tolerance = tolerance or {}
    metrics = {name for method in changes.methods for name in (*(c.metric for c in method.changes), *method.others)}
    if metrics:
        require_metrics(tolerance, metrics)
    worse: list[str] = []
    unknown: list[str] = []
    for method in changes.methods:
        name = f"{method.dataset} · {method.label}"
        broken = _broken(method)
        worse += [f"{name}: {broken}"] if broken else []
        for change in () if broken else method.changes:
            accepted = tolerated(tolerance, change.metric)
            bad, reason = _judge(change, accepted, certain=method.pair.certain)
            target = worse if bad else unknown
            target += [f"{name}: {reason}"] if reason else []
    if not allow_missing:
        unknown += [f"{name}: not measured on the side {changes.after}" for name in changes.only_before]
    if not changes.methods:
        unknown.append("no method was measured on both sides")
    code = REGRESSION if worse else NOTHING_MEASURED if unknown else DONE
    return Gate(code, tuple(worse), tuple(unknown), _summary(changes, len(worse), len(unknown)))


def _judge(change: Change, accepted: float | None, *, certain: bool) -> tuple[bool, str]:
    """Whether it is worse, and why it is worse or cannot be judged; no reason where it is fine."""
    text = f"{change.metric} {difference_text(change)}"
    loss = change.loss * change.scale
    if change.verdict == "not measured":
        return False, f"{change.metric} was not measured on both sides"
    if change.verdict == "worse":
        return (True, f"{text}, p = {change.p:.2g}") if loss > (accepted or 0.0) else (False, "")
    if change.verdict == "inconclusive" and not certain:
        return False, f"{text}; {UNKNOWN}: write them again (harness leaderboard --format json)"
    if change.verdict == "inconclusive" and loss > 0:
        if accepted is None:
            return False, f"{text}: {_number(change)} are too few for a test; measure more, or give a tolerance"
        return (True, f"{text}, more than is tolerated") if loss > accepted else (False, "")
    return False, ""


def _number(change: Change) -> str:
    if change.groups is None or not change.pairs:
        return f"{change.pairs} pairs"
    return f"{change.groups} groups of queries"


def _broken(method: MethodChange) -> str:
    """Runs that fail and did not fail before."""
    before, after = method.pair.before.row, method.pair.after.row
    reasons = [note for note in after.notes if note not in before.notes and note != NOT_RUN]
    if not reasons or after.runs >= before.runs:
        return ""
    counts = f"{before.runs} of {before.expected} runs gave a result, now {after.runs} of {after.expected}"
    return f"{counts}; {'; '.join(reasons)}"


def _summary(changes: Changes, worse: int, unknown: int) -> str:
    """``gate: 1 worse, 0 could not be judged, of 12 methods; ...``."""
    found = [change for method in changes.methods for change in method.changes]
    identical = sum(change.verdict == "identical" for change in found)
    same = identical == len(found) > 0 == worse + unknown + len(changes.only_before) + len(changes.only_after)
    parts = [
        f"gate: {worse} worse, {unknown} could not be judged, of {len(changes.methods)} methods compared",
        f"{identical} numbers are identical{': nothing changed' if same else ''}",
    ]
    if math.isfinite(changes.detectable):
        parts.append(detectable_text(changes.detectable))
    return "; ".join(parts) + "."
