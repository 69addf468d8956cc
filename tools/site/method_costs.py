"""What a method cost where it was measured: the committed boards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from harness.registry import Entry

_COSTS = {
    "query_s_p50": ("ms a query", 1000.0),
    "bytes_per_image": ("bytes an image", 1.0),
    "acquire_s": ("seconds an acquisition", 1.0),
    "cost.acquire.peak_mb": ("MB an acquisition", 1.0),
    "cost.train.wall_s": ("seconds of training", 1.0),
}
"""Costs that a board has, what they are called here, and the factor to that unit."""


def lines(entry: Entry, root: Path) -> Iterator[str]:
    """A table of the rows of committed boards in which the method stands, or a sentence that there is none."""
    rows = [
        (board, label, cells)
        for board, kinds, label, cells in _rows(root)
        if kinds.get(entry.kind, "").split(" ")[0] == entry.name
    ]
    shown = [key for key in _COSTS if any(cells.get(key, {}).get("mean") is not None for _, _, cells in rows)]
    if not rows or not shown:
        yield "No committed board measures it; `harness run` measures every stage of a run of yours.\n"
        return
    yield "Means over runs, on the machines that each board names.\n"
    yield "| board | row | " + " | ".join(_COSTS[key][0] for key in shown) + " |"
    yield "| --- | --- |" + " ---: |" * len(shown)
    for board, label, cells in rows[:8]:
        values = [_number(cells.get(key, {}).get("mean"), _COSTS[key][1]) for key in shown]
        yield f"| [{board}](../../leaderboards/{board}/README.md) | {label} | {' | '.join(values)} |"
    if len(rows) > 8:
        yield f"\nThe boards have {len(rows) - 8} more rows with it."
    yield ""


def _number(value: Any, factor: float) -> str:
    return "" if value is None else f"{value * factor:.3g}" if value * factor < 1000 else f"{value * factor:.0f}"


@cache
def _rows(root: Path) -> tuple[tuple[str, dict[str, str], str, dict[str, Any]], ...]:
    """Board, name by kind, what the row is called, its cells; of all boards that have a page."""
    found = []
    for file in sorted((root / "leaderboards").glob("*/results.json")):
        if not file.with_name("README.md").is_file():
            continue
        for board in json.loads(file.read_text(encoding="utf-8"))["boards"]:
            for row in board["rows"]:
                kinds = {**board.get("common", {}), **row["labels"]}
                label = " · ".join(value for value in row["labels"].values() if value != "none") or "all"
                found.append((file.parent.name, kinds, label.replace("|", "/"), row.get("cells", {})))
    return tuple(found)
