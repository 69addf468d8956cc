"""What has become slow: ``python tools/performance/gate.py``, ``make bench-quick``; a part of CI.

Three comparisons that take seconds, and whose ratios stay as they are on a busy machine. Each must have at least two
fifths of the ratio on the performance page. A few interleaved pairs are timed; where they are too slow, more pairs
decide. Of wall and processor times the better ratio counts: other work on the machine changes the one or the other.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from comparisons import Described
from measure import ROOT, timed
from ratios import Pair, read
from rows import described

ROWS = ("coreset", "rmac", "evaluation")
"""Beginnings of names: what everybody waits for, at ratios well above 2."""
SHARE = 0.4
"""Of the ratio of the page that a row must have: what is three times as slow has a third."""
PAIRS = (3, 6)
"""Timed at first, and where these are too slow."""

Timing = Callable[[Described, int], Sequence[Pair]]


def bounds(content: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """The ratio that each row must have, by name and size: of the file of the page."""
    return {(row.name, row.size): SHARE * row.median for row in read(content) if row.name.startswith(ROWS)}


def ratio_of(pairs: Sequence[Pair]) -> float:
    """The median of the ratios of wall times or of processor times, whichever is better."""
    return max(statistics.median(pair.wall for pair in pairs), statistics.median(pair.processor for pair in pairs))


def slow_rows(rows: Sequence[Described], least: Mapping[tuple[str, str], float], timing: Timing) -> list[str]:
    """A line for each row that is too slow, also at the second try; every row is printed.

    Args:
        rows: what to compare.
        least: the ratio that each must have, by name and size.
        timing: gives so many pairs of a row.
    """
    slow = []
    for row in rows:
        bound, ratio = least[row.name, row.size], 0.0
        for pairs in PAIRS:
            ratio = ratio_of(timing(row, pairs))
            if ratio >= bound:
                break
        line = f"{row.name}, {row.size}: {ratio:.2f} times as fast as {row.peer}, at least {bound:.2f}"
        print(line, flush=True)
        slow += [line] if ratio < bound else []
    return slow


def main() -> int:
    """Time, print; 1 where something has become slow."""
    content = json.loads((ROOT / "leaderboards" / "performance" / "ratios.json").read_text(encoding="utf-8"))
    slow = slow_rows(described(ROWS), bounds(content), timed)
    print("".join(f"below two fifths of leaderboards/performance: {line}\n" for line in slow), end="")
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
