"""The k-nearest-neighbour graph and the linear system on it: one engine for four methods of the thesis.

Diffusion, label propagation, jLP and Katz centrality all solve ``(I - alpha S) X = B`` (thesis 2.4) with another
right-hand side. The usual path is ``solve(normalise(affinity(x)), b)``.

Importing this package loads nothing but its names; each name loads its module, and that its libraries, on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.graph.importance import centrality as centrality
    from harness.graph.joint import joint_selection as joint_selection
    from harness.graph.products import largest_products as largest_products
    from harness.graph.propagation import Propagation as Propagation
    from harness.graph.propagation import propagate as propagate
    from harness.graph.search import Neighbours as Neighbours
    from harness.graph.search import SearchReport as SearchReport
    from harness.graph.search import neighbours as neighbours
    from harness.graph.search import neighbours_of as neighbours_of
    from harness.graph.solver import Solver as Solver
    from harness.graph.solver import SolveReport as SolveReport
    from harness.graph.solver import solve as solve
    from harness.graph.weights import affinity as affinity
    from harness.graph.weights import affinity_from_neighbours as affinity_from_neighbours
    from harness.graph.weights import normalise as normalise

# No module is called like a name below: importing it would put the module in the name's place.
_HOMES: Final = {
    "Neighbours": "search",
    "Propagation": "propagation",
    "SearchReport": "search",
    "SolveReport": "solver",
    "Solver": "solver",
    "affinity": "weights",
    "affinity_from_neighbours": "weights",
    "centrality": "importance",
    "joint_selection": "joint",
    "largest_products": "products",
    "neighbours": "search",
    "neighbours_of": "search",
    "normalise": "weights",
    "propagate": "propagation",
    "solve": "solver",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
