"""Maps with negative values: which methods may see them. Imports nothing slow."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.errors import InvalidInput
from harness.plugin_api import DescribesImages, GivesSignedMaps, TakesSignedMaps


def gives_signed(backbone: object) -> bool:
    """Whether the maps of a backbone may be negative."""
    return isinstance(backbone, GivesSignedMaps) and backbone.signed


def require_signs(backbone: object, methods: Mapping[str, object]) -> None:
    """Refuse maps of both signs to what is not defined for them.

    Args:
        backbone: gives the maps.
        methods: poolings and re-rankers by what to call them; None is none.

    Raises:
        InvalidInput: names the first that would see them.
    """
    if not gives_signed(backbone):
        return
    for name, method in methods.items():
        if method is None or isinstance(method, DescribesImages):
            continue
        if not (isinstance(method, TakesSignedMaps) and method.takes_signed):
            raise InvalidInput(
                f"{name} needs maps without negative values, those of this backbone have both signs",
                fix="signed: false of the backbone (negative values become 0), or pooling spoc or mac alone",
            )
