"""vision-evaluation-harness: benchmarks for deep active learning and instance image retrieval.

The public names are those that ``dir(harness)`` lists; nothing else is promised. Importing the package loads nothing
heavy: each name loads its module on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.core.lazy import lazy_names

if TYPE_CHECKING:
    from harness import active as active
    from harness import graph as graph
    from harness import metrics as metrics
    from harness import plugin_api as plugin_api
    from harness.boards import compare as compare
    from harness.boards import leaderboard as leaderboard
    from harness.boards.frame import to_pandas as to_pandas
    from harness.data.folders import data_folders as data_folders
    from harness.plugin_api import hookimpl as hookimpl
    from harness.registry import Registry as Registry
    from harness.registry import load_registry as load_registry
    from harness.runs import Record as Record
    from harness.runs import run as run
    from harness.runs.targets import find_results as find_results
    from harness.site import write_page as write_page

__version__ = "0.1.0"
_PUBLIC: Final = {
    "Record": "harness.runs",
    "Registry": "harness.registry",
    "active": "harness.active",
    "compare": "harness.boards",
    "data_folders": "harness.data.folders",
    "find_results": "harness.runs.targets",
    "graph": "harness.graph",
    "hookimpl": "harness.plugin_api",
    "leaderboard": "harness.boards",
    "load_registry": "harness.registry",
    "metrics": "harness.metrics",
    "plugin_api": "harness.plugin_api",
    "run": "harness.runs",
    "to_pandas": "harness.boards.frame",
    "write_page": "harness.site",
}
_DEPRECATED: Final = {name: f"harness.{name}" for name in ("errors", "hooks", "parameters", "protocols")}
__all__ = sorted(_PUBLIC)

__getattr__, _ = lazy_names(__name__, {**_PUBLIC, **_DEPRECATED})


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
