"""Finds plugins, validates parameters, composes names (``a+b``), digests sources."""

from __future__ import annotations

from harness.plugin_api.registration import SINK, Registrar
from harness.registry.discovery import GROUP
from harness.registry.entries import BrokenPlugin, Entry, MethodId, Origin
from harness.registry.registry import DESCRIPTORS, Registry, load_registry

__all__ = [
    "DESCRIPTORS",
    "GROUP",
    "SINK",
    "BrokenPlugin",
    "Entry",
    "MethodId",
    "Origin",
    "Registrar",
    "Registry",
    "load_registry",
]
