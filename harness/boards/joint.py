"""The mean over several data sets of retrieval, tested by flips of the groups of all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.boards.board import Board, Row
from harness.boards.evidence import Units, paired_units
from harness.metrics.verdicts.flips import LEAST_GROUPS, compare_groups, group_sums
from harness.metrics.verdicts.paired import LEVEL

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JointTest:
    """Methods by their mean over data sets, each of which weighs as much.

    Attributes:
        measure: what the mean is of, as tables call it.
        means: of each method, in points.
        ranks: rank interval of each method.
        groups: number of groups of queries in all data sets.
        datasets: number of data sets.
    """

    measure: str
    means: tuple[float, ...]
    ranks: tuple[tuple[int, int], ...]
    groups: int
    datasets: int

    @property
    def sentence(self) -> str:
        """What the ranks are worth."""
        return (
            f"#: rank interval by significant differences in the mean {self.measure} over the settings "
            f"({self.datasets} data sets; joint sign flips of {self.groups} groups of queries, {LEVEL:.0%} level). It "
            f"speaks of these data sets, not of others."
        )


def joint_test(boards: Sequence[Board], rows: Sequence[Sequence[Row]]) -> JointTest | None:
    """The test of methods that all boards have; None of active learning, of one data set and of too few groups.

    Args:
        boards: of one task.
        rows: of each method the row of each board.
    """
    datasets = {board.fingerprint or board.dataset for board in boards}
    measures = {board.metric for board in boards}
    if len(datasets) < 2 or len(measures) > 1 or any(board.unit != "query" for board in boards):
        return None
    of_boards = [_units(board, [of_method[at] for of_method in rows]) for at, board in enumerate(boards)]
    if any(len(units.paired) < len(rows) or not units.shared for units in of_boards):
        return None  # a method lacks queries of a data set
    sums = _sums(boards, of_boards)
    if len(sums) < LEAST_GROUPS:
        return None
    found = compare_groups(sums, np.random.default_rng(0))
    better = np.zeros((len(rows), len(rows)), dtype=bool)
    ahead = np.where(found.difference > 0, found.first, found.second)
    behind = np.where(found.difference > 0, found.second, found.first)
    better[ahead[found.differs], behind[found.differs]] = True
    ranks = zip((1 + better.sum(axis=0)).tolist(), (len(rows) - better.sum(axis=1)).tolist(), strict=True)
    means = (100 * sums.sum(axis=0)).round(6).tolist()
    return JointTest(boards[0].metric, tuple(means), tuple(ranks), len(sums), len(datasets))


def _units(board: Board, rows: Sequence[Row]) -> Units:
    values: Mapping[str, Mapping[int, float]] = {
        str(at): dict(zip(row.units, row.values, strict=True)) for at, row in enumerate(rows)
    }
    return paired_units(values, grouped=True, groups=dict(enumerate(board.groups)))


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
