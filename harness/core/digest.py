"""Digests of values and checksums of files, the same on every machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def digest(value: object) -> str:
    """SHA-256 of a JSON-able value in canonical form, as 64 hex characters."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_checksum(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of the bytes of a file in hexadecimal; ``algorithm`` as ``hashlib`` names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
