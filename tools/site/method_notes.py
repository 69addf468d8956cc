"""Mathematics and advice of the method pages, from ``method_notes.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mathematics

from harness.registry import Entry

_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Notes:
    """What the docstring of a method does not say; empty where nothing is written."""

    math: tuple[str, ...] = ()
    where: str = ""
    use: str = ""
    avoid: str = ""


def notes(entry: Entry) -> Notes:
    """The notes on a method."""
    written = _all().get(entry.kind, {}).get(entry.name, {})
    return Notes(**{**written, "math": tuple(written.get("math", ()))})


def formula(entry: Entry, text: str) -> Iterator[str]:
    """The formula as mathematics with its symbols, else the text of the docstring."""
    written = notes(entry)
    if written.math:
        yield f"## Formula\n\n{mathematics.display(written.math)}\n\nSymbols: {mathematics.inline(written.where)}\n"
    elif text:
        yield f"## Formula\n\n```text\n{text}\n```\n"


def advice(entry: Entry) -> Iterator[str]:
    """When to use a method, and when not."""
    written = notes(entry)
    if written.use:
        yield f"## When to use it\n\n**When:** {mathematics.inline(written.use)}\n"
        yield f"**When not:** {mathematics.inline(written.avoid)}\n"


@cache
def _all() -> dict[str, dict[str, dict[str, str | list[str]]]]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))
