"""One store of arrays on disk, shared between processes."""

from __future__ import annotations

from harness.cache.shared import SharedCache
from harness.cache.store import Arrays, Cache, Key, Made

__all__ = ["Arrays", "Cache", "Key", "Made", "SharedCache"]
