"""One store of arrays on disk, shared between processes: signed, locked, bounded.

``Cache`` reads and computes; ``harness.cache.inspection`` lists, verifies, clears and explains what is stored.
Descriptors of distractors are no entries: they are written piece by piece and mapped from disk
(``harness.retrieval.shards``).
"""

from __future__ import annotations

from harness.cache.entries import Arrays, CacheEntry, Key
from harness.cache.store import Cache, parse_size

__all__ = ["Arrays", "Cache", "CacheEntry", "Key", "parse_size"]
