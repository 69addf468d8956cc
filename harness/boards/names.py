"""What a row is called where all its methods stand in one name: in pictures, on terminals, in LaTeX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.boards.board import Row

_LONG: Final = 48
"""Letters from which names leave out what nearly all rows share, and if need be what most share."""
_SHARES: Final = (0.8, 0.5)
_NONE: Final = "none"


@dataclass(frozen=True)
class ShortNames:
    """Names of rows.

    Attributes:
        names: one a row, as short as tells the rows apart.
        left_out: the methods that a name has where it has no other of their kind; empty where names are whole.
    """

    names: tuple[str, ...]
    left_out: str = ""


def row_label(kinds: Sequence[str], row: Row) -> str:
    """``random · supervised``: what a row has; kinds that it does without are left out."""
    return " · ".join(name for kind in kinds if (name := row.labels.get(kind, _NONE)) != _NONE) or _NONE


def short_names(kinds: Sequence[str], rows: Sequence[Row]) -> ShortNames:
    """Names of rows; where some are long, all of them without the methods that most rows share.

    Of published rows not all methods are known: beside them names are whole.
    """
    labels = names = [row_label(kinds, row) for row in rows]
    shared: dict[str, str] = {}
    for share in _SHARES:
        if max(map(len, names), default=0) > _LONG and all(row.expected for row in rows):
            shared = _shared(kinds, rows, share)
            twice = _of_several_kinds(kinds, rows)
            # A row of nothing but shared methods has its whole name.
            names = [_differing(kinds, row, shared, twice) or label for row, label in zip(rows, labels, strict=True)]
    return ShortNames(tuple(names), " · ".join(name for name in shared.values() if name != _NONE))


def _shared(kinds: Sequence[str], rows: Sequence[Row], share: float) -> dict[str, str]:
    """Kind -> the method that this share of the rows has."""
    most = {kind: Counter(row.labels.get(kind, _NONE) for row in rows).most_common(1)[0] for kind in kinds}
    return {kind: name for kind, (name, count) in most.items() if count >= share * len(rows)}


def _of_several_kinds(kinds: Sequence[str], rows: Sequence[Row]) -> set[str]:
    """Names that methods of two kinds have: without the others of its row one does not say which it is."""
    names = Counter(name for kind in kinds for name in {row.labels.get(kind, _NONE) for row in rows})
    return {name for name, count in names.items() if count > 1 and name != _NONE}


def _differing(kinds: Sequence[str], row: Row, shared: Mapping[str, str], twice: Collection[str]) -> str:
    labels = {kind: row.labels.get(kind, _NONE) for kind in kinds}
    parts = [(kind, name) for kind, name in labels.items() if name != shared.get(kind, _NONE)]
    # Of a kind that most rows have, none is a difference that must be named.
    texts = {
        kind: f"no {kind}" if name == _NONE else f"{kind} {name}" if name in twice else name for kind, name in parts
    }
    return " · ".join(texts.values())
