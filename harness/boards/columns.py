"""Which numbers of a record are columns of a board, and where a record keeps them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from harness.boards.failures import done
from harness.core.errors import UnknownName
from harness.runs.design import AREA, AREA_LINEAR, target_of
from harness.runs.record import CostRecord, Record

FULL_SUPERVISION: Final = "full_supervision"
"""Accuracy of a model trained on all labels."""
ALL_LABELS: Final = "all labels"
"""What that model is called in tables and pictures."""
PICKS_EVENNESS: Final = "picks_evenness"
"""How evenly the examples that an acquisition chose are spread over the classes."""
_SETUPS: Final = ("medium", "hard", "easy")
LABELS_TO: Final = "labels_to@"
"""Before the accuracy, in the name of a metric."""


@dataclass(frozen=True)
class Column:
    """One number of a row.

    Attributes:
        key: where the records keep it, in ``metrics`` or ``figures``, or a cost of ``STAGES``.
        title: heading.
        scale: factor for display.
        digits: decimals shown.
        higher_is_better: True, False, or None where neither is (a count).
        is_cost: whether it is a cost.
        published: whether it was not measured here: a published number, or the difference to one.
        signed: whether a plus is shown.
        pareto: whether quality is weighed against it: the front is marked.
    """

    key: str
    title: str
    scale: float = 1.0
    digits: int = 2
    higher_is_better: bool | None = True
    is_cost: bool = False
    published: bool = False
    signed: bool = False
    pareto: bool = False

    def shown(self, value: float) -> str:
        """The value as tables show it."""
        text = f"{value * self.scale:{'+' if self.signed else ''}.{self.digits}f}"
        return text if text.strip("-0.") else text.replace("-", "+" if self.signed else "")  # no -0.00


@dataclass(frozen=True)
class Cell:
    """Mean over seeds, sample standard deviation (ddof 1, None for one run), number of runs.

    ``cached``: a part of this cost was spent by an earlier run that shared the work; it is the cost of that time.
    ``contended``: a part was measured while other runs shared the machine.
    ``reached``: of labels to a target, the runs that reached it; the others count with the last number of labels.
    """

    mean: float
    std: float | None
    n: int
    cached: bool = False
    contended: bool = False
    reached: int | None = None


@dataclass(frozen=True)
class Stages:
    """A cost that is made of stages: their seconds or their memory, all that the record has of them."""

    names: tuple[str, ...] | None
    """None: all stages."""
    memory: bool = False
    per: Callable[[Record], float] = lambda record: 1.0
    """What it is divided by; 0 where that is not known."""

    def value(self, record: Record) -> float | None:
        """Seconds, or bytes; None where the record has none of the stages."""
        costs, divisor = self.costs(record), self.per(record)
        if not costs or not divisor:
            return None
        total = max(c.peak_bytes for c in costs) if self.memory else sum(c.wall_s for c in costs)
        return total / divisor

    def costs(self, record: Record) -> list[CostRecord]:
        """The stages that the record has."""
        return [cost for stage, cost in record.cost.items() if self.names is None or stage in self.names]


def _described(record: Record) -> float:
    """Images of the database."""
    return record.dataset.counts.get("images", 0)


def _extracted(record: Record) -> float:
    """Images whose features were taken, counted again in each cycle."""
    cycles = record.details.get("cycles", [])
    return record.dataset.counts.get("train", 0) * sum(1 for cycle in cycles if cycle.get("extract"))


STAGES: Final[Mapping[str, Stages]] = {
    "describe_s": Stages(("describe database",), per=_described),
    "prepare_s": Stages(("whiten", "fit expansion", "describe for re-ranking")),
    "peak_bytes": Stages(None, memory=True),
    "extract_s": Stages(("extract",), per=_extracted),
    "acquire_bytes": Stages(("acquire",), memory=True),
    "train_s": Stages(("train",)),
}

_GPU_MEMORY: Final = Column("gpu_peak_bytes", "GPU peak MB", 1e-6, 1, False, is_cost=True)
_RETRIEVAL: Final = (
    Column("map_medium", "mAP Medium", 100),
    Column("map_hard", "mAP Hard", 100),
    Column("map_easy", "mAP Easy", 100),
    Column("mp@10_medium", "mP@10 Medium", 100),
    Column("mp@10_hard", "mP@10 Hard", 100),
    Column("query_s_p50", "ms/query", 1e3, 2, False, is_cost=True, pareto=True),
    Column("describe_s", "extraction ms/image", 1e3, 2, False, is_cost=True),
    Column("prepare_s", "preparation s", 1, 2, False, is_cost=True),
    Column("bytes_per_image", "bytes/image", 1, 0, False, is_cost=True, pareto=True),
    Column("peak_bytes", "peak MB", 1e-6, 1, False, is_cost=True),
    _GPU_MEMORY,
)
_ACTIVE: Final = (
    Column("area_under_curve", "AUC (linear)", 100),
    Column(FULL_SUPERVISION, ALL_LABELS, 100),
    Column(PICKS_EVENNESS, "evenness of picks %", 100, 1, None),
    Column("acquire_s", "s/acquisition", 1, 4, False, is_cost=True, pareto=True),
    Column("acquire_bytes", "acquisition MB", 1e-6, 1, False, is_cost=True, pareto=True),
    Column("extract_s", "extraction ms/image", 1e3, 3, False, is_cost=True),
    Column("train_s", "training s", 1, 1, False, is_cost=True),
    _GPU_MEMORY,
)
_AREAS: Final = {
    AREA: Column(AREA, "AUC (log)", 100),
    AREA_LINEAR: Column(AREA_LINEAR, "AUC (linear)", 100),
}
_FIGURE_STAGES: Final = {"acquire_s": Stages(("acquire",)), "query_s_p50": Stages(("search",))}
"""Stages that say whether a figure was cached or measured beside other runs."""


def measure_column(measure: str) -> Column | None:
    """The first column of a board for a measure that no record holds, None for one that they do."""
    if measure in _AREAS:
        return _AREAS[measure]
    target = target_of(measure)
    return None if target is None else column_of(f"{LABELS_TO}{target:g}")


def board_columns(records: Sequence[Record], cost: bool, measure: str = "") -> tuple[Column, ...]:
    """The columns for which any record has a number; the first decides the rank.

    Args:
        records: of one board.
        cost: whether to show time and memory.
        measure: what is tested; its column is the first. Empty: mAP Medium, or the accuracy with most labels.
    """
    if records[0].task == "retrieval":
        candidates = _retrieval_columns(records)
    else:
        keys = {key for record in records for key in record.metrics}
        sizes = sorted(int(found[1]) for key in keys if (found := re.fullmatch(r"accuracy@(\d+)", key)))
        # The largest number of labels comes first: it decides the rank.
        curve = [Column(f"accuracy@{size}", f"{size} labels", 100) for size in [*sizes[-1:], *sizes[:-1]]]
        targets = sorted({key for key in keys if key.startswith(LABELS_TO)})
        candidates = (*curve, *(column for key in targets if (column := column_of(key))), *_ACTIVE)
    wanted = [column for column in candidates if cost or not column.is_cost]
    shown = [column for column in wanted if any(value(record, column) is not None for record in records)]
    first = measure_column(measure) if shown else None
    if first is not None:
        # What is tested stands there once.
        twice = {first.key, "area_under_curve" if first.key == AREA_LINEAR else first.key}
        return first, *(column for column in shown if column.key not in twice)
    stated = stated_key(measure, [column.key for column in shown])
    return tuple(sorted(shown, key=lambda column: column.key != stated))


def stated_key(measure: str, keys: Iterable[str]) -> str | None:
    """The key that a measure means, Medium first where it is measured for several set-ups; None where it is absent."""
    known = {*keys}
    return next((key for key in (measure, *(f"{measure}_{setup}" for setup in _SETUPS)) if key in known), None)


def _retrieval_columns(records: Sequence[Record]) -> tuple[Column, ...]:
    """Those of the protocols that the spec names, then those of the dataset, then costs."""
    keys = {key for record in done(records) for key in record.metrics}
    named: list[str] = []
    if evaluation := str(records[0].protocol.get("evaluation", "")):
        from harness.metrics.protocols import expand_names

        metrics = [metric for name in evaluation.split() for metric in expand_names(name)]
        named = [
            replace(metric, setup=setup).key
            for metric in metrics
            for setup in ("", *_SETUPS)
            if metric.setup in ("", setup)
        ]
    plain: list[str] = []
    if done(records) and all("map" in record.metrics for record in done(records)):
        # Of datasets that do not tell easy from hard, in place of Easy, Medium and Hard.
        ks = sorted(int(key.removeprefix("recall@")) for key in keys if re.fullmatch(r"recall@\d+", key))
        plain = ["map", *(f"map@{k}" for k in ks[-1:]), *(f"recall@{k}" for k in ks)]
    first = [column for key in dict.fromkeys([*named, *plain]) if key in keys and (column := column_of(key))]
    return (*first, *(column for column in _RETRIEVAL if column.is_cost or not plain))


def _protocol_column(key: str) -> Column | None:
    """The column of a metric of a protocol by name: ``gldv2-map@100_hard``."""
    from harness.metrics.protocols import parse_name

    try:
        metric = parse_name(key)
    except UnknownName:
        return None
    definition = metric.definition
    return Column(key, str(metric), 100.0 if definition.percent else 1.0, definition.digits)


def column_of(key: str) -> Column | None:
    """The column of a metric or a cost by its key."""
    if match := re.fullmatch(r"accuracy@(\d+)", key):
        return Column(key, f"{match[1]} labels", 100)
    if (target := accuracy_of(key)) is not None:
        return Column(key, f"labels to {100 * target:g}%", 1.0, 0, False)
    known = _AREAS.get(key) or next((column for column in (*_RETRIEVAL, *_ACTIVE) if column.key == key), None)
    return known or _protocol_column(key)


def accuracy_of(key: str) -> float | None:
    """The accuracy of ``labels_to@0.9``, None of another metric."""
    try:
        return float(key.removeprefix(LABELS_TO)) if key.startswith(LABELS_TO) else None
    except ValueError:
        return None


def value(record: Record, column: Column) -> float | None:
    """The number of a column in a record, None where it has none."""
    if column.key in STAGES:
        return STAGES[column.key].value(record)
    if column.key == PICKS_EVENNESS:
        return picks_evenness(record)
    return record.metrics.get(column.key, record.figures.get(column.key))


def picks_evenness(record: Record) -> float | None:
    """Entropy of the classes of what an acquisition picked, over that of an even spread; mean over acquisitions."""
    counts = [cycle.get("picked") for cycle in record.details.get("cycles", [])[1:]]
    known = [picked for picked in counts if isinstance(picked, list) and len(picked) > 1 and sum(picked)]
    found = []
    for picked in known:
        shares = [number / sum(picked) for number in picked if number]
        found.append(-math.fsum(share * math.log(share) for share in shares) / math.log(len(picked)))
    return math.fsum(found) / len(found) if found else None


def cells(records: Sequence[Record], columns: Sequence[Column]) -> dict[str, Cell | None]:
    """Cell of each column over the runs that are done."""
    measured = done(records)
    return {column.key: _cell(measured, column) for column in columns}


def _cell(measured: Sequence[Record], column: Column) -> Cell | None:
    numbers = [number for record in measured if (number := value(record, column)) is not None]
    if not numbers:
        return None
    mean, std = mean_and_std(numbers)
    stages = STAGES.get(column.key) or _FIGURE_STAGES.get(column.key)
    costs = [cost for record in measured for cost in stages.costs(record)] if stages else []
    return Cell(mean, std, len(numbers), any(c.cached for c in costs), any(c.contended for c in costs))


def mean_and_std(numbers: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (ddof 1) of at least one number; None for the deviation of one."""
    mean = math.fsum(numbers) / len(numbers)
    if len(numbers) < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))


def front(cells: Sequence[tuple[Cell | None, Cell | None]], cost: Column, quality: Column) -> list[bool]:
    """Which rows are on the Pareto front: no other row is at least as good in both and better in one.

    Args:
        cells: cost and quality of each row, compared as they are shown: what looks equal is equal.
        cost: column of the first.
        quality: column of the second.
    """
    points = [
        None if a is None or b is None else (float(cost.shown(a.mean)), float(quality.shown(b.mean))) for a, b in cells
    ]
    best = set(pareto_front([point for point in points if point is not None]))
    return [point in best for point in points]


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (cost, quality) that no other point beats in both, by rising cost."""
    best: list[tuple[float, float]] = []
    for cost, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or quality > best[-1][1]:
            best.append((cost, quality))
    return best
