"""The sentences below a board: what its ranks are worth, and where its numbers come from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from harness.boards.board import Board, plural
from harness.boards.statistics import LEAST_UNITS, LEVEL, POWER, PairwiseTests
from harness.runs.labels import option
from harness.runs.record import Record

MEASURED_ON: Final = "Measured on: "


def ranks_sentence(tests: PairwiseTests, board: Board) -> str:
    """What the ranks of a board mean; empty for a single method."""
    unit, pairs = plural(board.unit), tests.pairs
    if tests.tests == 0:
        return ""
    counted = f"{tests.tests} comparison{'s' if tests.tests > 1 else ''}"
    intervals = f"Intervals: bootstrap over {unit}, 95%" + (
        "." if pairs >= LEAST_UNITS else f"; none from fewer than {LEAST_UNITS} {unit}."
    )
    if not tests.can_decide:
        needed = math.ceil(1 + math.log2(tests.tests / LEVEL))
        return (
            f"Inconclusive: with {pairs} paired {unit} and {counted} no difference in {board.metric}, however large, "
            f"can be significant, so that every rank interval (#) is the whole table; that takes at least {needed} "
            f"{unit}. {intervals}"
        )
    first = sum(best == 1 for best, _ in tests.ranks.values())
    few = "" if len(tests.ranks) == tests.methods else f"; only the best {len(tests.ranks)} are compared"
    return (
        f"#: rank interval by significant differences in {board.metric} ({pairs} paired {unit}, {tests.test}, "
        f"Holm-corrected over {counted}, {LEVEL:.0%} level{few}); {first} of {tests.methods} methods not significantly "
        f"different from the best; {detectable_text(100 * tests.detectable, 1)}. {intervals}"
    )


def detectable_text(points: float, digits: int = 2) -> str:
    """``minimum detectable difference: 2.10 points (80% power)``."""
    least = f"{points:.{digits}f} points" if math.isfinite(points) else "unknown"
    return f"minimum detectable difference: {least} ({POWER:.0%} power)"


def machines(records: Iterable[Record]) -> list[str]:
    """The processors on which the records were measured."""
    return sorted({str(r.environment.get("cpu", "")) for r in records if r.status != "missing"} - {""})


def sources_of(records: Sequence[Record]) -> Iterable[str]:
    """Data, protocol, seeds, plugins, machines."""
    first = records[0]
    counts = next((record.dataset.counts for record in records if record.dataset.counts), {})
    size = f" ({', '.join(f'{count} {what}' for what, count in sorted(counts.items()))})" if counts else ""
    what = f"fingerprint {first.dataset.fingerprint[:12]}" if first.dataset.fingerprint else "whose data are missing"
    yield f"Dataset {first.dataset.name}{size}, {what}."
    options = ", ".join(f"{name} {option(value)}" for name, value in sorted(first.protocol.items()))
    yield f"Protocol {first.protocol_id}: {options}."
    seeds = ", ".join(str(seed) for seed in sorted({record.seed for record in records}))
    yield f"Seeds: {seeds}; mean ± sample standard deviation over them. Records: {len(records)}."
    plugins = {f"{m.plugin} {m.version}".strip() for record in records for m in record.methods.values()}
    yield f"Plugins: {', '.join(sorted(plugins))}."
    yield from _deviations(records)
    cpus = machines(records)
    if cpus:
        yield f"{MEASURED_ON}{', '.join(cpus)}."
    if len(cpus) > 1:
        yield "Costs come from different machines and cannot be compared."


def _deviations(records: Sequence[Record]) -> Iterable[str]:
    """A sentence for each method that declares to break a rule of its kind."""
    declared = {(m.kind, m.name): m.deviations for record in records for m in record.methods.values() if m.deviations}
    for (kind, name), rules in sorted(declared.items()):
        reasons = "; ".join(f"{rule} ({reason})" for rule, reason in sorted(rules.items()))
        yield f"By its author's declaration {kind} {name} deviates from the rules of its kind: {reasons}."
