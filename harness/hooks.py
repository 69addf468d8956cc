"""The pluggy specification: what a plugin module may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from harness.registry import Registrar

hookspec = pluggy.HookspecMarker("harness")
hookimpl = pluggy.HookimplMarker("harness")


@hookspec
def harness_register(registry: Registrar) -> None:
    """Register methods: ``registry.pooling("gem", GeM)`` or, loaded on first use, ``"my_package.gem:GeM"``."""
