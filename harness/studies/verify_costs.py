"""Whether costs of a record can be: against its own clock, and against a run of today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from harness.runs.record import CostRecord, Record

_SLACK_S: Final = 1.0
"""Seconds by which clocks of a stage and of the run may differ."""
_ROUNDING: Final = 1.2
"""Factor by which the time of all processors is over-counted at most."""
_MACHINES: Final = 50.0
"""Factor by which the slowest machine is slower than the fastest."""
_OF_MACHINES: Final = frozenset({"gpu_peak_bytes"})
"""Sizes that another card or version of CUDA explains."""
_SHORT_S: Final = 5.0
"""What takes less says nothing of a machine."""


def impossible_cost(record: Record) -> str:
    """What of the costs of a run that is done cannot be, whatever the machine; empty if nothing."""
    if record.status != "done" or record.measured_by:
        return ""
    return next(_impossible(record), "")


def changed_cost(record: Record, again: Record) -> str:
    """What of the costs no other machine explains: sizes that differ, and times by a factor of more than 50."""
    for name, value in record.figures.items():
        size = "_s" not in name and name not in _OF_MACHINES
        if size and name in again.figures and value != again.figures[name]:
            return f"{name} is {value:g}, now {again.figures[name]:g}" if value is not None else f"{name} is not given"
    for name, then, now in _pairs(record, again):
        low, high = sorted((then.wall_s, now.wall_s))
        if high > _MACHINES * low + _SHORT_S:
            return f"{name} took {then.wall_s:.3g} s, now {now.wall_s:.3g} s"
    return ""


def _impossible(record: Record) -> Iterator[str]:
    try:
        started, finished = (datetime.fromisoformat(text) for text in (record.started, record.finished))
        elapsed = (finished - started).total_seconds()
    except (ValueError, TypeError):
        yield "when it started or finished is not a time"
        return
    if elapsed < 0:
        yield "it finished before it started"
    own = {name: cost for name, cost in record.cost.items() if not cost.cached}
    if (total := sum(cost.wall_s for cost in own.values())) > elapsed + _SLACK_S:
        yield f"its stages took {total:.3g} s, the run {elapsed:.3g} s"
    # Processors of other machines searched the shards.
    cores = None if "shards" in record.environment else record.environment.get("cores")
    for name, cost in own.items():
        if cost.wall_s <= 0:
            yield f"{name} took no time"
        if isinstance(cores, int) and cost.cpu_s > _ROUNDING * cost.wall_s * cores + _SLACK_S:
            yield f"{name} took {cost.cpu_s:.3g} s of {cores} processors in {cost.wall_s:.3g} s"
    slow, slowest = (record.figures.get(f"query_s_{part}") for part in ("p50", "p95"))
    if slow is not None and slowest is not None and slow > slowest:
        yield "half of its queries took longer than 95% of them"


def _pairs(record: Record, again: Record) -> Iterator[tuple[str, CostRecord, CostRecord]]:
    for name, then in record.cost.items():
        now = again.cost.get(name)
        if now is not None and not then.cached and not now.cached:
            yield name, then, now
