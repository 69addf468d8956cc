"""What the specs of bundles state of a board: its name, its description, its baseline, where they agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from harness.bundles.bundle import SPEC, Bundle
from harness.core.document import read_document
from harness.core.errors import HarnessError
from harness.core.text import sentence

_KEYS: Final = {"name": 200, "description": 2_000, "baseline": 200}
"""Keys of a spec and how long their texts may be."""
_INERT: Final = str.maketrans("<>[]`", "‹›()'")
"""Brackets that are no markup: commands write a description into Markdown as it is, and this is a stranger's."""


@dataclass(frozen=True)
class Stated:
    """What all specs of a board state alike; empty where they differ, or where there is none.

    Attributes:
        name: of the spec.
        description: on one line and without markup.
        baseline: the row that all others are compared with, by name or words of it.
        differing: keys whose values differ, of which the board takes none.
    """

    name: str = ""
    description: str = ""
    baseline: str = ""
    differing: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """A sentence for the board; empty where the specs agree."""
        if not self.differing:
            return ""
        *first, last = self.differing
        keys = f"{', '.join(first)} and {last}" if first else last
        return f"The specs of its bundles differ in {keys}: the board takes none of them."


def stated_by(bundles: Iterable[Bundle]) -> Stated:
    """What the specs of bundles state, whatever their order; a bundle without a spec has no say.

    A spec that leaves a key out differs from one that has it.
    """
    specs = [spec for spec in map(_spec, bundles) if spec is not None]
    values = {key: {spec[key] for spec in specs} for key in _KEYS}
    agreed = {key: next(iter(found)) for key, found in values.items() if len(found) == 1}
    return Stated(**agreed, differing=tuple(key for key, found in values.items() if len(found) > 1))


def _spec(bundle: Bundle) -> dict[str, str] | None:
    file = bundle.folder / SPEC
    if not file.is_file():
        return None
    try:
        data = read_document(file).data
    except HarnessError:  # it says nothing; the records do not depend on it
        return None
    texts = {key: sentence(data.get(key) or "", limit) for key, limit in _KEYS.items()}
    return {**texts, "description": texts["description"].translate(_INERT).lstrip("#-+=* ")}
