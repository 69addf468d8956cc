"""Joint label propagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from harness.core.errors import InvalidInput
from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView

_K: Final = 50  # thesis §3.5.1
_GAMMA: Final = 3.0  # thesis §3.5.1


@dataclass(frozen=True)
class JointLabelPropagation:
    """Example that the labelled set reaches least on the k-NN graph, again and again (thesis eq. 3.11-3.12).

    ``u = (1 - alpha)(I - alpha S)^-1 delta(L)``, ``argmin_i u_i`` over the unlabelled, which then counts as labelled.
    The reciprocal graph of the features, labels spread by its regularised Laplacian. The picks are those of a solve
    after every pick. Needs at least one label.
    O(budget n k) time an iteration of the solver, in groups of columns; O(n (k + 256)) memory.

    Formula:
        argmin_(i in U) ((I - alpha S)^-1 delta(L))_i, b times, each pick joining L
        S = D^-1/2 W D^-1/2, W the reciprocal k-NN graph of the features

    Attributes:
        alpha: how far labels spread.
        tol: relative residual of the solves.
        k: neighbours in the graph.
        gamma: exponent of similarities.
        preset: ``thesis`` and ``recommended`` are as above. ``released-code`` has the graph of all neighbours, and a
            solve of its own for each pick that ends after 20 iterations or at a residual of 1e-6, whatever ``tol``.
    """

    alpha: Annotated[float, Ge(0), Lt(1)] = 0.99  # thesis §3.5.2
    tol: Annotated[float, Gt(0)] = 1e-10
    k: Annotated[int, Gt(0)] = _K
    gamma: Annotated[float, Gt(0)] = _GAMMA
    preset: Literal["recommended", "thesis", "released-code"] = "recommended"

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order picked; equal scores by position."""
        from harness.graph import joint_selection

        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        if len(pool.labelled) == 0:
            raise InvalidInput("jlp needs at least one labelled example", fix="label a first set with another method")
        graph = self._graph(pool)
        if self.preset == "released-code":
            return self._one_solve_a_pick(graph, pool, budget)
        return joint_selection(graph, pool.labelled, pool.unlabelled, budget, alpha=self.alpha, tol=self.tol)[0]

    def _graph(self, pool: PoolView) -> Any:
        """The normalised graph of the features; the pool's own where it is the same."""
        from harness.graph import affinity, normalise

        if self.preset == "released-code":
            return normalise(affinity(pool.features, self.k, self.gamma, mode="union"))
        shared = (self.k, self.gamma) == (_K, _GAMMA)
        return pool.affinity if shared else normalise(affinity(pool.features, self.k, self.gamma))

    def _one_solve_a_pick(self, graph: Any, pool: PoolView, budget: int) -> Ids:
        """A solve that is cut short is not linear: none can be shared between picks."""
        from harness.graph import Solver

        solver, known, waiting = Solver(graph, alpha=self.alpha), np.zeros(len(pool.labels)), pool.unlabelled
        known[pool.labelled] = 1
        picks = np.empty(budget, dtype=np.int64)
        for i in range(budget):
            u, _ = solver.solve(known, tol=1e-6, max_iter=20)
            place = int(np.argmin(u[waiting]))
            picks[i], waiting = waiting[place], np.delete(waiting, place)
            known[picks[i]] = 1
        return picks
