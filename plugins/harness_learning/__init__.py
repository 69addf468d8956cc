"""Built-in learning schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.hooks import hookimpl

if TYPE_CHECKING:
    from harness.registry import Registrar


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the learning schemes; each is loaded on first use."""
    registry.learning("supervised", "harness_learning.supervised:Supervised")
