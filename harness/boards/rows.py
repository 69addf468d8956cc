"""Which row of a board a name means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from harness.boards.board import Board, Row, row_name
from harness.core.errors import UnknownName

_CANDIDATES: Final = 12


def find_row(board: Board, wanted: str) -> Row | None:
    """The row that a name means, None if there is none. Raises ``UnknownName`` if it could mean several."""
    words = Counter(_words(wanted))
    names = {row_name(row, board.kinds): row for row in board.rows}
    if wanted in names:
        return names[wanted]
    fitting = {name: row for name, row in names.items() if words <= Counter(_words(name))}
    whole = {name: row for name, row in fitting.items() if not Counter(_words(name)) - words - Counter(none=99)}
    chosen = whole if len(whole) == 1 else fitting
    if len(chosen) > 1:
        raise UnknownName(
            f'"{wanted}" could mean {len(chosen)} rows of {board.dataset}', fix=f"one of: {listed_rows(list(chosen))}"
        )
    return next(iter(chosen.values()), None)


def reference_row(board: Board) -> Row | None:
    """The baseline of a board, else the row of the acquisition ``random``, if there is one."""
    if board.baseline:
        return next((row for row in board.rows if row_name(row, board.kinds) == board.baseline), None)
    random = [row for row in board.rows if row.labels.get("acquisition") == "random"]
    return random[0] if len(random) == 1 else None


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\s·,]+", name) if word]


def listed_rows(names: Sequence[str]) -> str:
    """Names of rows for a message, each once, the first twelve."""
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - _CANDIDATES} more" if len(unique) > _CANDIDATES else ""
    return "; ".join(f'"{name}"' for name in unique[:_CANDIDATES]) + more
