"""Search by inner product, and what comes before it: rows of length 1, clusters.

Importing this package loads nothing but its names; each name loads its module on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.search.clustering import k_means as k_means
    from harness.search.exact import TopK as TopK
    from harness.search.exact import top_k as top_k
    from harness.search.neighbours import Neighbours as Neighbours
    from harness.search.neighbours import SearchReport as SearchReport
    from harness.search.neighbours import any_order as any_order
    from harness.search.neighbours import neighbours_of as neighbours_of
    from harness.search.neighbours import own_entries as own_entries
    from harness.search.vectors import unit_rows as unit_rows

RESULT_VERSION: Final = 1
"""Of what is found, and its order. Raised when numbers change: docs/explanation/identity.md."""

# ``neighbours`` is not here: it is a module, and as a function a name of ``harness.graph``.
_MODULES: Final = {
    "Neighbours": "harness.search.neighbours",
    "SearchReport": "harness.search.neighbours",
    "TopK": "harness.search.exact",
    "any_order": "harness.search.neighbours",
    "k_means": "harness.search.clustering",
    "neighbours_of": "harness.search.neighbours",
    "own_entries": "harness.search.neighbours",
    "top_k": "harness.search.exact",
    "unit_rows": "harness.search.vectors",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_MODULES)
