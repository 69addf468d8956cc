"""What a method cost where it was measured: the committed boards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.registry import Entry

_COSTS = {
    "ms a query": (("query_s_p50", 1e3),),
    "ms of extraction an image": (("describe_s", 1e3), ("extract_s", 1e3)),
    "s of preparation": (("prepare_s", 1.0),),
    "bytes an image": (("bytes_per_image", 1.0),),
    "s an acquisition": (("acquire_s", 1.0),),
    "MB an acquisition": (("acquire_bytes", 1e-6), ("cost.acquire.peak_mb", 1.0)),
    "s of training": (("train_s", 1.0), ("cost.train.wall_s", 1.0)),
    "MB at most": (("peak_bytes", 1e-6),),
}
"""What a cost is called here, and the keys of boards that have it, each with the factor to its unit."""


def lines(entry: Entry, root: Path) -> Iterator[str]:
    """A table of the rows of committed boards in which the method stands, or a sentence that there is none."""
    rows = [
        (board, label, cells)
        for board, kinds, label, cells in _rows(root)
        if kinds.get(entry.kind, "").split(" ")[0] == entry.name
        and any(_value(cells, title) for title in _COSTS)  # boards may have been written without costs
    ]
    shown = [title for title in _COSTS if any(_value(cells, title) for _, _, cells in rows)]
    measured = _benchmark(entry, root)
    if not rows:
        nothing = "No committed board measures it; `harness run` measures every stage of a run of yours."
        yield f"{measured or nothing}\n"
        return
    yield "Means over runs, on the machines that each board names.\n"
    yield "| board | row | " + " | ".join(shown) + " |"
    yield "| --- | --- |" + " ---: |" * len(shown)
    for board, label, cells in rows[:8]:
        values = [_value(cells, title) for title in shown]
        yield f"| [{board}](../../leaderboards/{board}/README.md) | {label} | {' | '.join(values)} |"
    if len(rows) > 8:
        yield f"\nThe boards have {len(rows) - 8} more rows with it."
    yield f"\n{measured}\n"


def _benchmark(entry: Entry, root: Path) -> str:
    """What the benchmark of acquisitions measured, from the table in docs/acquisitions.md."""
    text = (root / "docs" / "acquisitions.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{re.escape(entry.name)}`[^|]*\| ([\d.]+) \| ([\d.]*) \| ([\d, ]+) \|", text, re.MULTILINE)
    if entry.kind != "acquisition" or row is None:
        return ""
    more = f", {row[2]} times with 100 classes" if row[2] else ""
    return (
        f"Choosing from 50,000 examples of 128 dimensions took {row[1]} times the processor time of `kmeans` with 10 classes"
        f"{more}: [all acquisitions](../../acquisitions.md#cost)."
    )


def _value(cells: Mapping[str, Any], title: str) -> str:
    """The mean of a cost of one row; empty where the board has none."""
    for key, factor in _COSTS[title]:
        mean = (cells.get(key) or {}).get("mean")  # a row without this cost has None
        if mean is not None:
            return f"{mean * factor:.3g}" if mean * factor < 1000 else f"{mean * factor:.0f}"
    return ""


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
