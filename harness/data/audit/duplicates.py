"""Images that are the same: within a part, in two parts, under two labels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.audit.finding import Finding, Severity, finding


@dataclass(frozen=True)
class Item:
    """An image: its part, its label, and what it is called."""

    part: str
    label: int
    name: str


def duplicate_findings(items: Sequence[Item], digests: Sequence[bytes], same: str) -> Iterator[Finding]:
    """Equal images by what follows from it.

    Args:
        items: all images.
        digests: of each; equal ones are equal images.
        same: in which sense, ``bytes`` or ``pixels``.
    """
    groups: dict[bytes, list[Item]] = defaultdict(list)
    for item, digest in zip(items, digests, strict=True):
        groups[digest].append(item)
    several = [group for group in groups.values() if len(group) > 1]
    conflicts = [item.name for group in several if len({item.label for item in group}) > 1 for item in group]
    shared = [item.name for group in several if len({item.part for item in group}) > 1 for item in group]
    within = [group for group in several if len({item.part for item in group}) == 1]
    yield from _found("two-labels", "warning", "images have two labels", conflicts, same)
    yield from _found("shared", "warning", "images are in train and in test", shared, same)
    for part in dict.fromkeys(group[0].part for group in within):
        names = [item.name for group in within if group[0].part == part for item in group]
        yield from _found("duplicates", "note", f"images of {part} are equal to another", names, same)


def _found(code: str, severity: Severity, text: str, names: Sequence[str], same: str) -> Iterator[Finding]:
    if names:
        yield finding(code, severity, f"{len(names):,} {text} (same {same})", names)


def row_digests(rows: NDArray[Any]) -> list[bytes]:
    """Of each row of an array."""
    flat = np.ascontiguousarray(rows).reshape(len(rows), -1)
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in flat]
