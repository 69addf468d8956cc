"""Finds plugins, validates parameters, composes names (``a+b``), digests sources."""

from __future__ import annotations

from harness.registry.registry import (
    GROUP,
    REPORTER,
    BrokenPlugin,
    Check,
    Entry,
    Registrar,
    Registry,
    load_registry,
)

__all__ = ["GROUP", "REPORTER", "BrokenPlugin", "Check", "Entry", "Registrar", "Registry", "load_registry"]
