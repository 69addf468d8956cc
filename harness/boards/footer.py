"""The sentences below a board: what its ranks are worth, and where its numbers come from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from harness.boards.board import Board, Row, plural
from harness.boards.evidence import Interval
from harness.boards.statistics import LEAST_UNITS
from harness.boards.verdicts import POOLED, SEQUENTIAL, PairwiseTests
from harness.core.places import without_places
from harness.metrics.verdicts.flips import LEAST_GROUPS
from harness.metrics.verdicts.paired import FEW_SEEDS, LEAST_SEEDS
from harness.metrics.verdicts.power import POWER
from harness.runs.labels import option
from harness.runs.record import Record

MEASURED_ON: Final = "Measured on: "
_COLLAPSE_SPREADS: Final = 5.0
_COLLAPSE_POINTS: Final = 0.10
_LOGARITHM: Final = ". Tested is the logarithm of the number of labels."


def ranks_sentences(tests: PairwiseTests, board: Board) -> Iterator[str]:
    """What the ranks of a board mean; nothing for a single method."""
    if tests.tests == 0:
        return
    intervals = _intervals(tests, board)
    if tests.test == SEQUENTIAL:
        yield _sequential(tests, board)
        return
    if not tests.can_decide:
        yield f"{_inconclusive(tests, board)} {intervals}"
        return
    first = sum(best == 1 for best, _ in tests.ranks.values())
    few = "" if len(tests.ranks) == tests.methods else f"; only the best {len(tests.ranks)} are compared"
    in_points = bool(board.columns) and board.columns[0].scale == 100
    least = f"; {detectable_text(100 * tests.detectable, 1)}. {intervals}" if in_points else _LOGARITHM
    yield (
        f"#: rank interval by significant differences in {board.metric} ({_paired(tests)}, {tests.test}, corrected "
        f"over {_counted(tests)}, {tests.level:.0%} level{few}); {first} of {tests.methods} methods not significantly "
        f"different from the best{least}"
    )
    if tests.test == POOLED and tests.pairs <= FEW_SEEDS:
        yield (
            f"With {tests.pairs} seeds the error is pooled over methods, at the {tests.level:.0%} level; that holds if "
            f"no method varies more than twice as much as another."
        )
    if tests.unlike:
        yield "The methods vary unlike (Bartlett's test), so that their errors are not pooled."
    if tests.against:
        count = len(tests.against)
        what = "difference in points, " if in_points else ""
        yield (
            f"Against {board.baseline}: {what}corrected over {count} "
            f"comparison{'s' if count > 1 else ''} with it; these and all pairs have a {tests.level:.0%} level each."
        )


def _sequential(tests: PairwiseTests, board: Board) -> str:
    family = f"with {board.baseline}" if board.baseline else "of all pairs"
    looks = ", ".join(map(str, tests.looks)) or "none yet"
    return (
        f"Seeds were added until all was decided: sequential paired t-tests in {board.metric}, {_counted(tests)} "
        f"{family}, {tests.level:.0%} level over all looks and comparisons (Holm); looks after {looks} seeds. "
        f"Methods whose comparisons were closed have fewer seeds."
    )


def _paired(tests: PairwiseTests) -> str:
    if tests.groups is None:
        return f"{tests.pairs} paired seeds"
    if tests.groups == tests.pairs:
        return f"{tests.pairs} paired queries, each a group of its own"
    within = "" if math.isnan(tests.correlation) else f", correlation inside groups {tests.correlation:.2f}"
    return f"{tests.pairs} paired queries in {tests.groups} groups{within}"


def _counted(tests: PairwiseTests) -> str:
    return f"{tests.tests} comparison{'s' if tests.tests > 1 else ''}"


def _inconclusive(tests: PairwiseTests, board: Board) -> str:
    what = f"no difference in {board.metric}, however large, can be significant"
    ranks = "so that every rank interval (#) is the whole table"
    if tests.groups is None:
        return f"Inconclusive: with {_paired(tests)} {what}, {ranks}; that takes at least {LEAST_SEEDS} seeds."
    return (
        f"Inconclusive: with {_paired(tests)} {what}, {ranks}; that takes at least {LEAST_GROUPS} groups. A group is "
        f"the queries that share their relevant images, or one that the data name."
    )


def _intervals(tests: PairwiseTests, board: Board) -> str:
    units, count = (
        ("groups of queries", tests.groups) if tests.groups is not None else (plural(board.unit), tests.pairs)
    )
    enough = count >= LEAST_UNITS
    return f"Intervals: bootstrap over {units}, 95%" + ("." if enough else f"; none from fewer than {LEAST_UNITS}.")


def unit_notes(row: Row, board: Board, interval: Interval | None) -> Iterator[str]:
    """What the values of a row say against its mean or its interval: all are equal, or some seeds collapsed."""
    units = plural(board.unit)
    if interval is not None and interval[0] == interval[1] and len(row.values) > 1:
        yield (
            f"all {len(row.values)} {units} have the same value, so that its interval has no width; that says nothing "
            f"of other {units}"
        )
    if board.unit == "seed" and board.columns and board.columns[0].scale == 100 and len(row.values) > 2:
        collapsed = collapsed_units(row)
        if collapsed:
            yield (
                f"{len(collapsed)} of {len(row.values)} seeds collapsed far below its median "
                f"({', '.join(map(str, collapsed))}); they count in all numbers"
            )


def collapsed_units(row: Row) -> list[int]:
    """Seeds at least 10 points and 5 median absolute deviations below the median of their method."""
    values = np.array(row.values)
    below = np.median(values) - values
    spread = float(np.median(np.abs(below)))
    far = (below > _COLLAPSE_SPREADS * spread) & (below >= _COLLAPSE_POINTS)
    return [unit for unit, is_far in zip(row.units, far.tolist(), strict=True) if is_far]


def detectable_text(points: float, digits: int = 2) -> str:
    """``minimum detectable difference: 2.10 points (80% power)``."""
    least = f"{points:.{digits}f} points" if math.isfinite(points) else "unknown"
    return f"minimum detectable difference: {least} ({POWER:.0%} power)"


def machines(records: Iterable[Record]) -> list[str]:
    """The processors on which the records were measured, with the GPU of runs that were done on one."""
    return sorted({_machine(record.environment) for record in records if record.status != "missing"} - {""})


def _machine(environment: Mapping[str, Any]) -> str:
    """``NVIDIA H200 (driver 570.1) with AMD EPYC``."""
    cpu, gpu = str(environment.get("cpu", "")), environment.get("gpu")
    if not isinstance(gpu, Mapping):
        return cpu
    driver = f" (driver {gpu['driver']})" if gpu.get("driver") else ""
    return f"{gpu.get('name', 'GPU')}{driver}" + (f" with {cpu}" if cpu else "")


def sources_of(records: Sequence[Record]) -> Iterable[str]:
    """Data, protocol, seeds, plugins, machines."""
    first = records[0]
    counts = next((record.dataset.counts for record in records if record.dataset.counts), {})
    size = f" ({', '.join(f'{count} {what}' for what, count in sorted(counts.items()))})" if counts else ""
    what = f"fingerprint {first.dataset.fingerprint[:12]}" if first.dataset.fingerprint else "whose data are missing"
    yield f"Dataset {first.dataset.name}{size}, {what}."
    yield from _own_images(records)
    yield from (f"Audit of {first.dataset.name}: {sentence}." for sentence in _audited(records))
    options = ", ".join(f"{name} {option(value)}" for name, value in sorted(first.protocol.items()))
    yield f"Protocol {first.protocol_id}: {options}."
    seeds = ", ".join(str(seed) for seed in sorted({record.seed for record in records}))
    present = sum(record.status != "missing" for record in records)
    spread = "; mean ± sample standard deviation over them" if present else ""
    yield f"Seeds: {seeds}{spread}. Records: {present or 'none yet'}."
    here = [record for record in records if not record.measured_by]
    if plugins := {f"{m.plugin} {m.version}".strip() for record in here for m in record.methods.values()}:
        yield f"Plugins: {', '.join(sorted(plugins))}."
    yield from _deviations(records)
    cpus = machines(records)
    if cpus:
        yield f"{MEASURED_ON}{', '.join(cpus)}."
    if len(cpus) > 1:
        yield "Costs come from different machines and cannot be compared."


def _own_images(records: Iterable[Record]) -> Iterable[str]:
    """What became of queries that stand in the database."""
    notes = (record.details.get("notes") for record in records)
    found = (note.get("queries_in_database") for note in notes if isinstance(note, Mapping))
    if own := next((own for own in found if isinstance(own, Mapping)), None):
        what = "takes no part in its own search, verification and expansion" if own.get("left_out") else "finds itself"
        yield f"{own.get('queries')} queries stand in the database; each {what}."


def _audited(records: Sequence[Record]) -> Iterable[str]:
    """What the audits of the data warned of, each thing once; of a file its name, not where it lies."""
    found = (record.details.get("audit") for record in records)
    return dict.fromkeys(without_places(str(text)) for texts in found if isinstance(texts, list) for text in texts)


def _deviations(records: Sequence[Record]) -> Iterable[str]:
    """A sentence for each method that declares to break a rule of its kind."""
    declared = {(m.kind, m.name): m.deviations for record in records for m in record.methods.values() if m.deviations}
    for (kind, name), rules in sorted(declared.items()):
        reasons = "; ".join(f"{rule} ({reason})" for rule, reason in sorted(rules.items()))
        yield f"By its author's declaration {kind} {name} deviates from the rules of its kind: {reasons}."


_SAID_SHORTER: Final = ("#: ", "Against ", "With ", "The methods vary unlike", "Dataset ", "Protocol ", "Seeds: ")
_ONLY_IN_DETAILS: Final = ("Plugins: ", MEASURED_ON)


def short_footer(board: Board) -> Iterator[str]:
    """What a reader must know: what ranks mean, on which data and by which protocol; then what else is said.

    All sentences of ``Board.provenance`` that only say it at length are left out.
    """
    tests = board.tests
    if tests is not None and tests.tests and tests.can_decide and tests.test != SEQUENTIAL:
        yield _short_ranks(tests, board)
    data = f"Data {board.fingerprint[:12]}" if board.fingerprint else "The data are missing"
    yield f"{data}; protocol {board.protocol_id}." if board.protocol_id else f"{data}."
    yield from (text for text in board.provenance if not text.startswith((*_SAID_SHORTER, *_ONLY_IN_DETAILS)))


def _short_ranks(tests: PairwiseTests, board: Board) -> str:
    units = f"{tests.pairs} {plural(board.unit)}"
    if tests.groups not in (None, tests.pairs):
        units += f" in {tests.groups} groups"
    first = sum(row.rank == 1 for row in board.rows)
    points = board.columns[0].scale == 100 and math.isfinite(tests.detectable)
    least = f"; minimum detectable difference {100 * tests.detectable:.1f} points" if points else ""
    level = f"{tests.level:.0%} level" if tests.level else "corrected"
    best = f"{first} of {tests.methods} not significantly different from the best"
    return f"#: rank interval ({tests.test}, {units}, {level}); {best}{least}."
