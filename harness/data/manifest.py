"""What a data folder records of its datasets: ``.harness/NAME.json`` with checksums and fingerprint.

Where no checksum is published, the SHA-256 of the first download that passed all other checks is recorded here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.core.files import write_atomically


@dataclass(frozen=True)
class FileRecord:
    """A downloaded file: checksum, size, address, and whether it was compared with a published checksum."""

    sha256: str
    size: int
    url: str = ""
    published: bool = False


@dataclass(frozen=True)
class DatasetManifest:
    """What was true of a dataset when it was first verified."""

    fingerprint: str = ""
    date: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, FileRecord] = field(default_factory=dict)


def read_manifest(root: Path, name: str) -> DatasetManifest:
    """What the folder records; empty where there is nothing, or nothing readable."""
    try:
        content = json.loads(_path(root, name).read_text(encoding="utf-8"))
        files = {file: FileRecord(**values) for file, values in content.pop("files").items()}
        return DatasetManifest(**content, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return DatasetManifest()


def write_manifest(root: Path, name: str, manifest: DatasetManifest) -> bool:
    """Record; False where the folder may not be written to, by its mode, which also holds for an administrator."""
    try:
        if not root.stat().st_mode & 0o222:
            return False
        write_atomically(_path(root, name), json.dumps(asdict(manifest), indent=1, sort_keys=True).encode())
    except OSError:
        return False
    return True


def _path(root: Path, name: str) -> Path:
    return root / ".harness" / f"{name}.json"
