"""Measures the comparisons: ``python tools/performance/measure.py [--out FOLDER] [--rounds N] [NAME ...]``.

Writes ``ratios.json`` and ``README.md`` to ``leaderboards/performance``. With names, those alone are measured and
printed, and nothing is written. With ``--gate`` nothing is written either, and the exit code is 1 where a whole
interval lies below the ratio that every quiet machine holds (``least``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from comparisons import Described
from ratios import Pair, Ratio, page, pairs, stored
from rows import described

ROOT = Path(__file__).parents[2]
PACKAGES = ("numpy", "scipy", "torch", "faiss-cpu", "scikit-learn")


def timed(one: Described, rounds: int) -> list[Pair]:
    """Compare the results, which also compiles and fills caches, then time both sides in turns.

    Raises:
        AssertionError: the results differ.
    """
    import torch

    comparison, threads = one.make(), torch.get_num_threads()
    torch.set_num_threads(comparison.threads or threads)
    try:
        comparison.same(comparison.ours(), comparison.peer())
        return list(pairs(comparison.ours, comparison.peer, comparison.rounds or rounds, comparison.repeat))
    finally:
        torch.set_num_threads(threads)


def measured(one: Described, found: Sequence[Pair]) -> Ratio:
    """The row of a comparison whose pairs were timed."""
    peer = f"{one.peer} ({one.package} {version(one.package)})" if one.package else one.peer
    wall, processor = (tuple(getattr(pair, name) for pair in found) for name in ("wall", "processor"))
    return Ratio(one.name, one.size, peer, one.same, wall, processor)


def machine() -> dict[str, Any]:
    """What the ratios depend on."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "measured": time.strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip() or "unknown",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": platform.machine(),
        "packages": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of names; all if none is given")
    parser.add_argument("--out", type=Path, default=ROOT / "leaderboards" / "performance")
    parser.add_argument("--rounds", type=int, default=9, help="pairs a comparison, at least 6")
    parser.add_argument("--gate", action="store_true", help="write nothing; exit code 1 where a ratio is too small")
    given = parser.parse_args()
    if given.rounds < 6:
        parser.error("an interval of 95% needs 6 rounds")
    found = list(_printed(given.names, given.rounds))
    if not given.names and not given.gate:
        content = stored(found, machine())
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "ratios.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        (given.out / "README.md").write_text(page(content), encoding="utf-8")
    pairs_of = zip(described(given.names), found, strict=True)
    slow = [(one.least, ratio) for one, ratio in pairs_of if ratio.interval[1] < one.least]
    print("".join(f"below {least:g}: {ratio.name}, {ratio.size}\n" for least, ratio in slow), end="")
    return int(given.gate and bool(slow))


def _printed(names: list[str], rounds: int) -> Iterator[Ratio]:
    for one in described(names):
        start = time.perf_counter()
        found = timed(one, rounds)
        ratio = measured(one, found)
        low, high = ratio.interval
        took = time.perf_counter() - start
        processor = sorted(ratio.processor)[len(ratio.processor) // 2]
        print(
            f"{one.name}, {one.size}: {ratio.median:.2f} times as fast as {ratio.peer} ({low:.2f} to {high:.2f}; "
            f"processor {processor:.2f}), {took:.0f} s" + _beside_aim(one, found),
            flush=True,
        )
        yield ratio


def _beside_aim(one: Described, found: Sequence[Pair]) -> str:
    """What ours took on this machine, for the eye alone: a page holds ratios."""
    milliseconds = 1000 * statistics.median(pair.seconds for pair in found)
    return f"; {milliseconds:.0f} ms, aim on two cores {one.aim:.0f} ms" if one.aim else ""


if __name__ == "__main__":
    sys.exit(main())
