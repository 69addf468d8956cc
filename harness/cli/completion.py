"""What the shell completes: names of kinds, methods and datasets. Imports what it reads only when asked."""

from __future__ import annotations

from typing import Any

from harness.plugin_api import KINDS


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of method."""
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def complete_method(ctx: Any, incomplete: str) -> list[str]:
    """Installed methods of the kind before it, and those of ``--plugin``."""
    from harness.core.errors import HarnessError
    from harness.registry import load_registry

    try:
        registry = load_registry(ctx.params.get("plugin") or ())
        names = registry.names(ctx.params.get("kind") or "")
    except HarnessError:  # the command itself says what is wrong
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_dataset(incomplete: str) -> list[str]:
    """Datasets of the catalogue, and loaders."""
    from harness.core.errors import HarnessError
    from harness.data.catalogue import catalogue, catalogue_files
    from harness.registry import load_registry

    try:
        names = {*catalogue(catalogue_files(())), *load_registry().names("dataset")}
    except HarnessError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))
