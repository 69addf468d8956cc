"""The rows of the performance page: one module a subject."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from comparisons import COMPARISONS, Described

_ORDER = ("search", "graph", "active_learning", "pooling", "saliency", "evaluation")
"""Of the page. Each adds its comparisons when it is loaded."""

for _name in _ORDER:
    importlib.import_module(f"{__name__}.{_name}")


def described(names: Sequence[str] = ()) -> list[Described]:
    """All comparisons, or those whose name begins with one of these."""
    return [one for one in COMPARISONS if not names or one.name.startswith(tuple(names))]
