"""Finds plugins, validates parameters, composes names (``a+b``), digests sources."""

from __future__ import annotations

from harness.plugin_api.registration import REPORTER, Check, Registrar
from harness.registry.registry import (
    GROUP,
    BrokenPlugin,
    Entry,
    MethodId,
    Origin,
    Registry,
    load_registry,
)

__all__ = [
    "GROUP",
    "REPORTER",
    "BrokenPlugin",
    "Check",
    "Entry",
    "MethodId",
    "Origin",
    "Registrar",
    "Registry",
    "load_registry",
]
