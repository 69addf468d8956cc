"""vision-evaluation-harness: benchmarks for deep active learning and instance image retrieval.

The public names are the ones in ``__all__``, ``harness.plugin_api``, ``harness.graph``, ``harness.metrics`` and
``harness.active``; nothing else is promised. Importing the package loads nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.plugin_api.hooks import hookimpl

if TYPE_CHECKING:
    from harness.boards import compare, leaderboard
    from harness.registry import Registry, load_registry
    from harness.runs import Record, run
    from harness.runs.targets import find_results
    from harness.site import write_page

__version__ = "0.1.0"
__all__ = [
    "Record",
    "Registry",
    "compare",
    "find_results",
    "hookimpl",
    "leaderboard",
    "load_registry",
    "run",
    "write_page",
]

_HOMES = {
    "Record": "harness.runs",
    "run": "harness.runs",
    "leaderboard": "harness.boards",
    "compare": "harness.boards",
    "data_folders": "harness.data.folders",
    "find_results": "harness.runs.targets",
    "Registry": "harness.registry",
    "load_registry": "harness.registry",
    "write_page": "harness.site",
}
_ROOMS = frozenset({"active", "graph", "metrics", "protocols"})
"""Public packages, so that ``harness.active.Pool`` works after ``import harness``."""


def __getattr__(name: str) -> Any:
    import importlib

    if name in _ROOMS:
        return importlib.import_module(f"harness.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
