"""Search by inner product, and what comes before it: rows of length 1, clusters.

Importing this package loads nothing but its names; each name loads its module on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.search.exact import TopK as TopK
    from harness.search.exact import top_k as top_k

_MODULES: Final = {
    "TopK": "harness.search.exact",
    "top_k": "harness.search.exact",
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
