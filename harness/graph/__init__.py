"""The k-nearest-neighbour graph and the linear system on it: one engine for four methods of the thesis.

Diffusion, label propagation, jLP and Katz centrality all solve ``(I - alpha S) X = B`` (thesis 2.4) with another
right-hand side. The usual path is ``solve(normalise(affinity(x)), b)``.

Importing this package loads nothing but its names; each name loads its module, and that its libraries, on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.core.lazy import lazy_names

if TYPE_CHECKING:
    from harness.core.threads import threads_here as threads_here
    from harness.graph.importance import centrality as centrality
    from harness.graph.joint import joint_selection as joint_selection
    from harness.graph.propagation import Propagation as Propagation
    from harness.graph.propagation import propagate as propagate
    from harness.graph.solver import Solver as Solver
    from harness.graph.solver import SolveReport as SolveReport
    from harness.graph.solver import solve as solve
    from harness.graph.weights import affinity as affinity
    from harness.graph.weights import affinity_from_neighbours as affinity_from_neighbours
    from harness.graph.weights import normalise as normalise
    from harness.search.neighbours import Neighbours as Neighbours
    from harness.search.neighbours import SearchReport as SearchReport
    from harness.search.neighbours import neighbours as neighbours
    from harness.search.neighbours import neighbours_of as neighbours_of

RESULT_VERSION: Final = 1
"""Of affinities, solutions and propagation. Raised when numbers change: docs/explanation/identity.md."""

# No module is called like a name below: importing it would put the module in the name's place.
_HOMES: Final = {
    "Neighbours": "harness.search.neighbours",
    "Propagation": "harness.graph.propagation",
    "SearchReport": "harness.search.neighbours",
    "SolveReport": "harness.graph.solver",
    "Solver": "harness.graph.solver",
    "affinity": "harness.graph.weights",
    "affinity_from_neighbours": "harness.graph.weights",
    "centrality": "harness.graph.importance",
    "joint_selection": "harness.graph.joint",
    "neighbours": "harness.search.neighbours",
    "neighbours_of": "harness.search.neighbours",
    "normalise": "harness.graph.weights",
    "propagate": "harness.graph.propagation",
    "threads_here": "harness.core.threads",
    "solve": "harness.graph.solver",
}

__all__ = sorted(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
