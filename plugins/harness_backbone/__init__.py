"""Built-in backbones: registration only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.hooks import hookimpl

if TYPE_CHECKING:
    from harness.registry import Registrar


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the backbones; each is loaded on first use."""
    registry.backbone("tiny", "harness_backbone.tiny:Tiny")
