"""What changed between two measurements of the same methods: by how much, and whether it is significant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.boards.comparison.matching import Pair
from harness.runs.tolerances import scale

Verdict = Literal["better", "worse", "not significantly different", "identical", "inconclusive", "not measured"]


@dataclass(frozen=True)
class Change:
    """One metric of one method, before and after.

    Attributes:
        metric: key of the metric, ``map_medium``.
        before: mean over the queries or seeds that both sides have (or of the leaderboard, where they are not known).
        after: the same of the other side.
        higher_is_better: which way is better.
        interval: 95% interval of the difference, None where it is not known.
        p: corrected for all tests of the comparison; None without a test.
        verdict: ``inconclusive`` where there are too few pairs, or none, for a test.
        pairs: number of queries or seeds that both sides have.
        groups: number of groups of these queries; None for seeds.
        detectable: minimum detectable difference at 80% power; None without a test.
    """

    metric: str
    before: float | None
    after: float | None
    higher_is_better: bool
    interval: tuple[float, float] | None
    p: float | None
    verdict: Verdict
    pairs: int
    groups: int | None = None
    detectable: float | None = None

    @property
    def difference(self) -> float | None:
        """After minus before."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def loss(self) -> float:
        """By how much it is worse, negative where it is better, 0 where it is not known."""
        difference = self.difference or 0.0
        return -difference if self.higher_is_better else difference

    @property
    def scale(self) -> float:
        """Factor for display: shares in points, counts of labels as they are."""
        return scale(self.metric)


@dataclass(frozen=True)
class CostChange:
    """One cost of one method; ``comparable`` is False for seconds of different machines."""

    name: str
    before: float
    after: float
    comparable: bool

    @property
    def ratio(self) -> float:
        """After over before."""
        return self.after / self.before if self.before else math.inf


@dataclass(frozen=True)
class MethodChange:
    """One method in one setting.

    Attributes:
        pair: the row on both sides.
        label: the method, with those parameters that tell it from the others.
        changes: of the metrics that were tested.
        others: differences of the metrics that were not tested.
        costs: of both sides.
        changed: what made the numbers and is not the same: sources, versions, the engine, parameters.
    """

    pair: Pair
    label: str
    changes: tuple[Change, ...]
    others: Mapping[str, float]
    costs: tuple[CostChange, ...]
    changed: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """Label of the board."""
        return self.pair.before.board.dataset


@dataclass(frozen=True)
class Changes:
    """All that changed between two sides; ``harness.boards.comparison.report`` shows it.

    Attributes:
        before: name of the one side.
        after: name of the other.
        methods: what both have, in the order of the one side.
        only_before: labels of what only the one side has.
        only_after: labels of what only the other has.
        tests: number of tests that the correction counts.
        detectable: minimum detectable difference in points at 80% power (the median over the tests); NaN without a
            test.
        notes: what else a reader must know.
    """

    before: str
    after: str
    methods: tuple[MethodChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    tests: int
    detectable: float
    notes: tuple[str, ...]

    def with_verdict(self, *verdicts: Verdict) -> list[tuple[MethodChange, Change]]:
        """The changes of these verdicts with their methods."""
        return [(m, change) for m in self.methods for change in m.changes if change.verdict in verdicts]
