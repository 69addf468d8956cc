"""What a data folder remembers of its datasets: ``.harness/NAME.json`` with checksums and fingerprint.

Where nobody published a checksum, the SHA-256 of the first download that passed all other checks stands here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.core.files import write_atomically


@dataclass(frozen=True)
class KeptFile:
    """A downloaded file: checksum, size, address, and whether it was compared with a published checksum."""

    sha256: str
    size: int
    url: str = ""
    published: bool = False


@dataclass(frozen=True)
class Kept:
    """What was true of a dataset when it was first found right."""

    fingerprint: str = ""
    date: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, KeptFile] = field(default_factory=dict)


def read_kept(root: Path, name: str) -> Kept:
    """What the folder remembers; nothing where there is nothing, or nothing readable."""
    try:
        content = json.loads(_path(root, name).read_text(encoding="utf-8"))
        files = {file: KeptFile(**values) for file, values in content.pop("files").items()}
        return Kept(**content, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Kept()


def write_kept(root: Path, name: str, kept: Kept) -> bool:
    """Remember; False where the folder may not be written to, by its mode, which also holds for an administrator."""
    try:
        if not root.stat().st_mode & 0o222:
            return False
        write_atomically(_path(root, name), json.dumps(asdict(kept), indent=1, sort_keys=True).encode())
    except OSError:
        return False
    return True


def _path(root: Path, name: str) -> Path:
    return root / ".harness" / f"{name}.json"
