"""Types of parameters in plain words with their ranges: ``Annotated[float, Gt(0)]`` is "number > 0"."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from harness.registry.parameters import hints_of

_WORDS: Final[dict[Any, str]] = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "`true` or `false`",
    Path: "file or folder",
    Any: "any",
}
_SIGNS: Final = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


def plain_types(method: type) -> dict[str, str]:
    """Name -> type of each parameter."""
    return {name: plain(hint) for name, hint in hints_of(method).items()}


def plain(hint: Any) -> str:
    """A type in words."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        bounds = " and ".join(_bounds(inside[1:]))
        return f"{plain(inside[0])} {bounds}".strip()
    if origin is typing.Literal:
        return _either([f"`{value}`" if value != "" else "nothing" for value in inside])
    if origin in (typing.Union, types.UnionType):
        return _either([plain(part) for part in inside])
    if origin is tuple:
        return f"list of: {plain(inside[0])}" if inside[-1] is Ellipsis else f"{len(inside)} × {plain(inside[0])}"
    if origin is list:
        return f"list of: {plain(inside[0])}"
    if origin in (dict, Mapping):
        return "mapping"
    if hint is type(None):
        return "none"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _bounds(marks: tuple[Any, ...]) -> Iterator[str]:
    for mark in marks:
        for name, sign in _SIGNS.items():
            if getattr(mark, name, None) is not None:
                yield f"{sign} {getattr(mark, name)}"


def _either(parts: list[str]) -> str:
    return " or ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
