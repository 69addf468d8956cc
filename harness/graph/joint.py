"""Joint label propagation: which rows the labelled set says least about (thesis 3.11-3.12).

The score of a row is ``u = (1 - alpha)(I - alpha S)^-1 delta``, with delta 1 on the labelled rows; each pick joins
them. By linearity a pick s adds the column ``(1 - alpha)(I - alpha S)^-1 e_s``, so nothing is solved twice: u is
exact after every pick, and the columns that the next picks will need are guessed and solved together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from harness.graph.solver import Solver
    from harness.graph.weights import Matrix

    Ids = NDArray[np.int64]
    Values = NDArray[np.float64]

_TIE: Final = 1e-9
"""Scores that differ by less than this share are one score: duplicates must not be told apart by rounding."""
_KEPT: Final = 4
"""Blocks of columns kept for later picks."""


def joint_selection(
    normalised: Matrix,
    labelled: ArrayLike,
    candidates: ArrayLike,
    budget: int,
    *,
    alpha: float = 0.99,  # thesis 3.5.1
    tol: float = 1e-10,
    block: int = 64,
) -> tuple[Ids, Values]:
    """Pick the candidate with the smallest score, ``budget`` times, the earlier picks counted as labelled.

    The picks are those of a solve after every pick: scores only ever rise (the inverse has no negative entry), and
    they are brought up to date before each pick. Solved in float64; with the default ``tol`` scores are right to
    about 1e-9 of the largest, and picks equal those of a dense solve unless two scores lie closer than that. Scores
    within 1e-9 of each other (relative) tie, and the lowest index wins. Rows that no label reaches have score 0 and
    come first: one from each such component, then the next.

    Args:
        normalised: (n, n) the result of ``normalise``: symmetric, not negative.
        labelled: positions of the labelled rows, at least one.
        candidates: positions to pick from, unique, none of them labelled.
        budget: number of picks, at most the number of candidates.
        alpha: in [0, 1).
        tol: relative residual of every column.
        block: columns solved together.

    Returns:
        ``picks`` (budget,) int64 in the order picked, ``scores`` (budget,) float64 at the time of the pick.

    Raises:
        InvalidInput: positions out of range or not disjoint, no labelled row, a budget that is too large.
    """
    from harness.graph.solver import Solver
    from harness.graph.weights import square

    if block < 1:
        raise InvalidInput(f"block is {block}", fix="solve at least one column at a time")
    graph = square(normalised)
    if graph.nnz and graph.data.min() < 0:
        raise InvalidInput("the graph has a negative weight", why="scores could fall", fix="clip similarities at 0")
    solver = Solver(graph, alpha=alpha)
    start, pool = _checked(labelled, candidates, budget, solver.n)
    picks, scores = np.empty(budget, np.int64), np.empty(budget)
    if not budget:
        return picks, scores
    delta = np.zeros(solver.n)
    delta[start] = 1 - alpha
    u, _ = solver.solve(delta, tol=tol)
    np.maximum(u, 0, out=u)
    columns = _Columns(solver, graph, tol, block)
    for i in range(budget):
        place = _lowest(u[pool])
        picks[i], scores[i] = pool[place], u[pool[place]]
        pool = np.delete(pool, place)
        if i + 1 < budget:
            u += columns.of(int(picks[i]), u, pool, budget - i - 1)
    return picks, scores


def _checked(labelled: ArrayLike, candidates: ArrayLike, budget: int, n: int) -> tuple[Ids, Ids]:
    start, pool = np.unique(np.asarray(labelled, np.int64)), np.sort(np.asarray(candidates, np.int64))
    both = np.concatenate((start, pool))
    if len(both) and not 0 <= both.min() <= both.max() < n:
        raise InvalidInput(f"a position is outside the graph of {n} rows", fix=f"use 0..{n - 1}")
    if len(np.unique(both)) < len(both):
        raise InvalidInput("a candidate is labelled already or given twice", fix="pass the unlabelled rows once each")
    if not 0 <= budget <= len(pool):
        raise InvalidInput(f"the budget is {budget} for {len(pool)} candidates", fix="lower the budget")
    if not len(start):
        raise InvalidInput("no row is labelled", why="every score would be 0", fix="label some rows first")
    return start, pool


def _lowest(scores: Values) -> int:
    """First of the smallest, ties within a share of ``_TIE``."""
    return int(np.argmax(scores <= scores.min() * (1 + _TIE)))


class _Columns:
    """Columns of the scaled inverse, solved a block at a time for the row asked for and likely next picks."""

    def __init__(self, solver: Solver, graph: Matrix, tol: float, block: int) -> None:
        from scipy.sparse.csgraph import connected_components

        self._solver, self._graph, self._tol, self._block = solver, graph, tol, block
        self._component = connected_components(graph, directed=False)[1]
        self._solved: dict[int, Values] = {}
        self.computed = 0

    def of(self, pick: int, scores: Values, pool: Ids, left: int) -> Values:
        """The column of ``pick`` (n,); ``left`` picks from ``pool`` will follow."""
        if pick not in self._solved:
            self._solve([pick, *self._likely(pick, scores, pool, min(left - 1, self._block - 1))])
        return self._solved.pop(pick)

    def _likely(self, pick: int, scores: Values, pool: Ids, count: int) -> list[int]:
        """The lowest scores, but no two neighbours: a pick lifts the scores around it."""
        near = np.zeros(self._solver.n, bool)
        chosen: list[int] = []
        for row in [pick, *self._solved]:
            near[self._around(row, scores)] = True
        for row in pool[np.argsort(scores[pool], kind="stable")]:
            if len(chosen) >= count:
                break
            if not near[row] and int(row) not in self._solved:
                chosen.append(int(row))
                near[self._around(row, scores)] = True
        return chosen

    def _around(self, row: int, scores: Values) -> NDArray[Any]:
        """Rows that a pick of this one lifts most: its neighbours, or a whole component that no label reached."""
        if scores[row] == 0:
            return np.flatnonzero(self._component == self._component[row])
        return np.asarray(self._graph.indices[self._graph.indptr[row] : self._graph.indptr[row + 1]])

    def _solve(self, rows: list[int]) -> None:
        rhs = np.zeros((self._solver.n, len(rows)))
        rhs[rows, np.arange(len(rows))] = 1 - self._solver.alpha
        solution, _ = self._solver.solve(rhs, tol=self._tol)
        self.computed += len(rows)
        for row, column in zip(rows, np.maximum(solution.T, 0), strict=True):
            self._solved[row] = column.copy()
        while len(self._solved) > _KEPT * self._block:  # the oldest guesses were the worst
            del self._solved[next(iter(self._solved))]
