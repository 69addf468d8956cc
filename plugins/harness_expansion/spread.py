"""How the seeds of a block of queries spread: over the whole graph, or within the top of each ranking.

Loads scipy and numba: imported when a database is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from harness.graph import Solver, normalise, threads_here
from harness_expansion.kernels import solve_parts, unsigned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids
    from harness_expansion.seeds import Seed

_UNCAPPED: Final = 100_000
"""Iterations at most where only the tolerance counts; alpha = 0.9999 needs about 1,000 to 1e-6."""
_SUBGRAPHS: Final = 32
"""Subgraphs that one thread solves in one go."""


class Convergence(NamedTuple):
    """Of the solves of a block: iterations (m,) and relative residuals (m,)."""

    iterations: NDArray[np.int64]
    residuals: NDArray[np.float64]


NO_SOLVES: Final = Convergence(np.zeros(0, np.int64), np.zeros(0))
"""No solve at all."""


class System(NamedTuple):
    """The parameters of a solve; ``max_iter`` 0 goes to the tolerance."""

    alpha: float
    tol: float
    max_iter: int


class WholeGraph:
    """Conjugate gradient on the whole graph, a block of queries at once."""

    block: Final = 64

    def __init__(self, affinity: Any, system: System) -> None:
        """Prepare the sparse affinity (n, n) of a database."""
        self._system = system
        # In float64 from here on: rounding of the normalised graph would be amplified by 1 / (1 - alpha).
        self._solver = Solver(normalise(affinity.astype(np.float64)), alpha=system.alpha)

    def scores(self, queries: Floats, seeds: Sequence[Seed], rankings: Ids) -> tuple[NDArray[np.float64], Convergence]:
        """Diffused similarities (q, n) of ``seeds``, one a query."""
        y = np.zeros((self._solver.n, len(seeds)))
        for column, (images, values) in enumerate(seeds):
            y[images, column] = values
        found, report = self._solver.solve(y, tol=self._system.tol, max_iter=self._system.max_iter or None)
        return np.ascontiguousarray(found.T), Convergence(report.iterations, report.residuals)


class Truncated:
    """Conjugate gradient among the top images of each ranking, every query on its own; 0 elsewhere."""

    block: Final = 16

    def __init__(self, affinity: Any, system: System, top: int, early: bool) -> None:
        """Prepare the sparse affinity (n, n) of a database; ``early`` as in ``Subgraphs``."""
        self._subgraphs, self._n, self._top = Subgraphs(affinity, system, early), affinity.shape[0], top

    def scores(self, queries: Floats, seeds: Sequence[Seed], rankings: Ids) -> tuple[NDArray[np.float64], Convergence]:
        """Diffused similarities (q, n) of ``seeds``, one a query, within the top of ``rankings`` (q, k)."""
        kept = rankings[:, : self._top]
        y = np.zeros((len(kept), self._n))
        for row, (images, values) in enumerate(seeds):
            y[row, images] = values
        solved, ends = self._subgraphs.solve(kept, np.take_along_axis(y, kept, axis=1))
        scores = np.zeros_like(y)
        np.put_along_axis(scores, kept, solved, axis=1)
        return scores, ends


class Subgraphs:
    """Many small systems, each within some images of one graph, on several threads.

    ``early`` cuts the affinity and normalises what is left (Iscen et al. 2017); otherwise the normalised graph is cut
    (Yang et al. 2019).
    """

    def __init__(self, affinity: Any, system: System, early: bool) -> None:
        """Prepare the sparse affinity (n, n)."""
        wide = affinity.astype(np.float64)
        self._graph, self._early = unsigned(wide if early else normalise(wide)), early
        self._system = system

    def solve(self, kept: Ids, seeds: NDArray[np.float64]) -> tuple[NDArray[np.float64], Convergence]:
        """Solutions (m, t) for seeds (m, t) within the images ``kept`` (m, t) of each part."""
        if not kept.size:
            return np.zeros(kept.shape), Convergence(np.zeros(len(kept), np.int64), np.zeros(len(kept)))
        alpha, tol, cap = self._system.alpha, self._system.tol, self._system.max_iter or _UNCAPPED
        kept, seeds = np.ascontiguousarray(kept), np.ascontiguousarray(seeds)

        def some(start: int) -> Any:
            rows = slice(start, start + step)
            return solve_parts(self._graph, kept[rows], seeds[rows], self._early, alpha, tol, cap)

        step = max(1, min(_SUBGRAPHS, -(-len(kept) // threads_here())))
        starts = range(0, max(len(kept), 1), step)
        if len(starts) == 1:
            solutions, *ends = some(0)
            return solutions, Convergence(*ends)
        with ThreadPoolExecutor(threads_here()) as threads:
            solutions, *ends = (np.concatenate(parts) for parts in zip(*threads.map(some, starts), strict=True))
        return solutions, Convergence(*ends)
