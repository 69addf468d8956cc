"""The methods of a task over several boards: mean ranks, Friedman's test and Nemenyi's critical difference.

After Demšar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 2006.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.boards.board import Board, Row, full_name
from harness.boards.joint import JointTest, joint_test
from harness.metrics.verdicts.paired import LEVEL
from harness.runs.labels import SHOWN_KINDS, method_labels

LEAST_BOARDS: Final = 5
"""Fewest boards for the test: below, the distribution that it assumes is far from the true one."""
LEAST_METHODS: Final = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Across:
    """Methods that were measured on all boards of a task.

    Attributes:
        task: task of the boards.
        boards: labels of the boards.
        methods: names, best mean rank first.
        ranks: (methods, boards) rank by the measured mean of the first column among these methods, equal ones sharing
            the middle.
        mean: (methods,) mean rank.
        left_out: number of methods that a board lacks.
        p: p-value of Friedman's test, None where it was not done.
        critical: significant difference of two mean ranks, None where Friedman's test was not done or
            found nothing.
        why_not: why the test was not done; empty if it was.
        datasets: number of different datasets among the boards.
        joint: the test of the mean over data sets; None where there is none.
    """

    task: str
    boards: tuple[str, ...]
    methods: tuple[str, ...]
    ranks: Floats
    mean: Floats
    left_out: int
    p: float | None
    critical: float | None
    why_not: str
    datasets: int
    joint: JointTest | None = None

    @property
    def sentence(self) -> str:
        """What the mean ranks are worth."""
        n = len(self.boards)
        dependent = f" The {n} settings are of {self.datasets} dataset(s), which the test takes for independent."
        dependent = dependent if self.datasets < n else ""
        if self.p is None:
            return f"No test over settings: {self.why_not}."
        found = f"Friedman's test over {n} settings: p = {max(self.p, 1e-4):.2g}{' or less' if self.p < 1e-4 else ''}"
        if self.critical is None:
            return f"{found}, so that no method differs significantly from another over these settings.{dependent}"
        return (
            f"{found}; two methods differ significantly (Nemenyi, {LEVEL:.0%} level) where their mean ranks differ by "
            f"at least {self.critical:.2f}.{dependent}"
        )


def across(boards: Sequence[Board]) -> list[Across]:
    """Methods over the boards of each task that has several boards and methods in common; ordered by task."""
    tasks = sorted({board.task for board in boards})
    return [found for task in tasks if (found := _across(task, [b for b in boards if b.task == task]))]


def _across(task: str, boards: Sequence[Board]) -> Across | None:
    measured = [
        (number, row, cell.mean)
        for number, board in enumerate(boards)
        for row in board.rows
        if board.columns and (cell := row.cells[board.columns[0].key]) is not None
    ]
    names = _names([(number, row) for number, row, _ in measured]) or [
        full_name(boards[number], row) for number, row, _ in measured
    ]
    scores: dict[str, dict[int, float]] = {}
    rows: dict[str, dict[int, Row]] = {}
    for name, (number, row, mean) in zip(names, measured, strict=True):
        scores.setdefault(name, {})[number] = mean
        rows.setdefault(name, {})[number] = row
    complete = {name: found for name, found in scores.items() if len(found) == len(boards)}
    if len(boards) < 2 or len(complete) < 2:
        return None
    table = np.array([[found[number] for found in complete.values()] for number in range(len(boards))])
    ranks = ranks_within(table)
    names = list(complete)
    order = sorted(range(len(names)), key=lambda place: (ranks[:, place].mean(), names[place]))
    why_not = _why_not(len(boards), len(names))
    p = None if why_not else friedman(table)
    return Across(
        task=task,
        boards=tuple(board.dataset for board in boards),
        methods=tuple(names[place] for place in order),
        ranks=ranks[:, order].T,
        mean=ranks.mean(axis=0)[order],
        left_out=len(scores) - len(complete),
        p=p,
        critical=critical_difference(len(boards), len(names)) if p is not None and p <= LEVEL else None,
        why_not=why_not,
        datasets=len({board.fingerprint for board in boards}),
        joint=joint_test(boards, [[rows[names[place]][at] for at in range(len(boards))] for place in order]),
    )


def _names(rows: Sequence[tuple[int, Row]]) -> list[str]:
    """What the methods of each row (with the number of its board) are called over all boards, by all parameters.

    Empty where an older version wrote a board, or where a board has one method from two sources: then the labels of the
    boards have to do.
    """
    if any(row.methods is None for _, row in rows):
        return []
    combinations = [row.methods or {} for _, row in rows]
    keys = [json.dumps({k: [m.name, m.parameters] for k, m in c.items()}, sort_keys=True) for c in combinations]
    if len({(number, key) for (number, _), key in zip(rows, keys, strict=True)}) < len(rows):
        return []
    labels = method_labels(dict(zip(keys, combinations, strict=True)))
    kinds = [kind for kind in SHOWN_KINDS if any(kind in names for names in labels.values())]
    return [" · ".join(labels[key].get(kind, "none") for kind in kinds) for key in keys]


def _why_not(boards: int, methods: int) -> str:
    if boards < LEAST_BOARDS:
        return f"{boards} are too few, it takes at least {LEAST_BOARDS}"
    return f"it takes at least {LEAST_METHODS} methods" if methods < LEAST_METHODS else ""


def ranks_within(scores: Floats) -> Floats:
    """Ranks (n, m) within each row of ``scores``, 1 the highest, equal ones sharing the middle."""
    higher = (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
    equal = (scores[:, None, :] == scores[:, :, None]).sum(axis=2)
    return np.asarray(higher + (equal + 1) / 2)


def friedman(scores: Floats) -> float:
    """P-value of Friedman's test on ``scores`` (n blocks, m methods), in the form of Iman and Davenport (1980)."""
    from scipy import stats

    n, m = scores.shape
    if (scores == scores[:, :1]).all():
        return 1.0  # nothing differs: scipy divides by zero
    chi2 = float(stats.friedmanchisquare(*scores.T).statistic)
    left = n * (m - 1) - chi2
    return 0.0 if left <= 1e-9 else float(stats.f.sf((n - 1) * chi2 / left, m - 1, (m - 1) * (n - 1)))


def critical_difference(n: int, m: int, level: float = LEVEL) -> float:
    """Nemenyi's smallest significant difference of two of ``m`` mean ranks over ``n`` blocks."""
    from scipy import stats

    quantile = float(stats.studentized_range.ppf(1 - level, m, np.inf))
    return quantile / math.sqrt(2) * math.sqrt(m * (m + 1) / (6 * n))


def indistinct(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """First and last position of each longest run of sorted ``ranks`` that spans less than ``difference``."""
    runs: list[tuple[int, int]] = []
    for first, last in itertools.combinations(range(len(ranks)), 2):
        if ranks[last] - ranks[first] < difference:
            if runs and runs[-1][0] == first:
                runs[-1] = (first, last)
            elif not runs or runs[-1][1] < last:
                runs.append((first, last))
    return runs
