"""A digest of values, the same on every machine."""

from __future__ import annotations

import hashlib
import json


def digest(value: object) -> str:
    """SHA-256 of a JSON-able value in canonical form, as 64 hex characters."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
