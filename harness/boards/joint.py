"""The mean over several data sets, each of which weighs as much.

Retrieval: flips of the groups of queries of all of them together. Active learning: paired differences within each data
set, whose variances add up, because seeds of different data sets are not paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.boards.board import Board, Row
from harness.boards.evidence import Units, paired_units
from harness.metrics.verdicts.flips import LEAST_GROUPS, compare_groups, group_sums
from harness.metrics.verdicts.paired import LEAST_SEEDS, LEVEL, Comparisons, family, shaffer_counts, step_down

_ROUNDING: Final = 1e-12

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JointTest:
    """Methods by their mean over data sets, each of which weighs as much.

    Attributes:
        measure: what the mean is of, as tables call it.
        means: of each method, in points.
        ranks: rank interval of each method.
        groups: number of groups of queries in all data sets; None of seeds.
        datasets: number of data sets.
    """

    measure: str
    means: tuple[float, ...]
    ranks: tuple[tuple[int, int], ...]
    groups: int | None
    datasets: int

    @property
    def sentence(self) -> str:
        """What the ranks are worth."""
        return (
            f"#: rank interval by significant differences in the mean {self.measure} over the settings "
            f"({self.datasets} data sets; {self._test}, {LEVEL:.0%} level). It speaks of these data sets, not of "
            f"others."
        )

    @property
    def _test(self) -> str:
        if self.groups is not None:
            return f"joint sign flips of {self.groups} groups of queries"
        return "t-test of seeds paired within each data set, by Welch and Satterthwaite, corrected for all pairs"


def joint_test(boards: Sequence[Board], rows: Sequence[Sequence[Row]]) -> JointTest | None:
    """The test of methods that all boards have; None of one data set and of too few groups or seeds.

    Args:
        boards: of one task.
        rows: of each method the row of each board.
    """
    datasets = {board.fingerprint or board.dataset for board in boards}
    measures = {board.metric for board in boards}
    in_points = all(board.columns and board.columns[0].scale == 100 for board in boards)
    if len(datasets) < 2 or len(measures) > 1 or not in_points:
        return None
    of_boards = [_units(board, [of_method[at] for of_method in rows]) for at, board in enumerate(boards)]
    if any(len(units.paired) < len(rows) or not units.shared for units in of_boards):
        return None  # a method lacks queries of a data set
    if boards[0].unit == "query":
        sums = _sums(boards, of_boards)
        means, groups = sums.sum(axis=0), len(sums)
        found = compare_groups(sums, np.random.default_rng(0)) if groups >= LEAST_GROUPS else None
    else:
        tables = [np.array(list(units.paired.values())).T for units in of_boards]
        means, groups = np.mean([table.mean(axis=0) for table in tables], axis=0), None
        # Settings of one data set share its seeds: their variances do not add up.
        apart = len(datasets) == len(boards) and min(map(len, tables)) >= LEAST_SEEDS
        found = compare_datasets(tables) if apart else None
    if found is None:
        return None
    better = np.zeros((len(rows), len(rows)), dtype=bool)
    ahead = np.where(found.difference > 0, found.first, found.second)
    behind = np.where(found.difference > 0, found.second, found.first)
    better[ahead[found.differs], behind[found.differs]] = True
    ranks = zip((1 + better.sum(axis=0)).tolist(), (len(rows) - better.sum(axis=1)).tolist(), strict=True)
    in_points_each = (100 * means).round(6).tolist()
    return JointTest(boards[0].metric, tuple(in_points_each), tuple(ranks), groups, len(datasets))


def compare_datasets(tables: Sequence[Floats]) -> Comparisons:
    """All pairs of methods by their mean over data sets.

    Args:
        tables: of each data set (n, m) the measure by seed and method; numbers of seeds may differ.
    """
    from scipy.special import stdtr

    first, second = family(tables[0].shape[1])
    apart = [table[:, first] - table[:, second] for table in tables]
    difference = np.mean([d.mean(axis=0) for d in apart], axis=0)
    variances = np.array([d.var(axis=0, ddof=1) / len(d) for d in apart]) / len(tables) ** 2
    freedoms = np.array([[len(d) - 1] for d in apart])
    total, slack = variances.sum(axis=0), (_ROUNDING * max(np.abs(table).max() for table in tables)) ** 2
    constant = total <= slack
    safe = np.where(constant, 1.0, total)
    freedom = np.where(constant, 1.0, safe**2 / np.where(constant, 1.0, (variances**2 / freedoms).sum(axis=0)))
    p = 2 * stdtr(freedom, -np.abs(difference) / np.sqrt(safe))
    # As in one data set: equal differences happen by chance, as accuracies come in steps.
    by_chance = 2.0 ** (1 - min(len(d) for d in apart))
    p = np.where(constant, np.where(difference**2 <= slack, 1.0, by_chance), p)
    return Comparisons(first, second, difference, step_down(p, shaffer_counts(tables[0].shape[1])), LEVEL)


def _units(board: Board, rows: Sequence[Row]) -> Units:
    values: Mapping[str, Mapping[int, float]] = {
        str(at): dict(zip(row.units, row.values, strict=True)) for at, row in enumerate(rows)
    }
    return paired_units(values, grouped=board.unit == "query", groups=dict(enumerate(board.groups)))


def _sums(boards: Sequence[Board], of_boards: Sequence[Units]) -> Floats:
    """What each group adds to the means (G, m); settings of one data set have the same groups."""
    numbers: dict[tuple[str, object], int] = {}
    parts = []
    for board, units in zip(boards, of_boards, strict=True):
        data = board.fingerprint or board.dataset
        shared = sorted(units.shared)
        keys = [(data, units.groups.get(unit, ("query", unit))) for unit in shared]
        groups = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.intp)
        parts.append((groups, np.array(list(units.paired.values())).T))
    sums = np.zeros((len(numbers), parts[0][1].shape[1]))
    for groups, values in parts:
        sums[np.unique(groups)] += group_sums(values, groups) / len(boards)
    return sums
