"""Versions of installed distributions, and whether another machine has the same. Loads nothing."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Mapping


def package_version(name: str) -> str:
    """Installed version of a distribution, empty if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def warn_of_other_versions(worker: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Warn where a worker has other versions of libraries than this process: its numbers may be rounded otherwise."""
    other = [
        f"{name} {theirs.get(name) or 'missing'}, here {ours.get(name) or 'missing'}"
        for name in sorted({*theirs, *ours})
        if theirs.get(name) != ours.get(name)
    ]
    if other:
        text = f"{worker} has {'; '.join(other)}: its results may differ (fix: install the same versions)"
        warnings.warn(text, stacklevel=3)
