"""Imported once by the process that forks the workers: the installed plugins, so that no run has to find them again."""

from __future__ import annotations

import contextlib
from typing import Final

from harness.registry import Registry, load_registry

_FOUND: Final[list[Registry]] = []


def registry() -> Registry:
    """The registry of all installed plugins; a worker, which does one run, may add its own plugins to it."""
    if not _FOUND:
        _FOUND.append(load_registry())
    return _FOUND[0]


with contextlib.suppress(Exception):  # a worker meets the same error and can report it
    registry()
