"""A GPU against the CPU: does the harness give the same answers there, the same ones twice, and how much faster is it?

    python tools/gpu/check.py [--device cuda] [--small] [--seconds 420] [--only search,graph] [--out FILE]

``make gpu-check``. Prints a line a fact, ``FAIL`` where something is wrong, and exits with 1 then. Each part stands
alone: one that fails says so and the next goes on, and parts that no longer fit into the time are named. Without a GPU
one sentence says so, and the exit code is 0. ``--device cpu:0 --small`` takes the same paths on a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS when it is loaded

from computations import clustering, graph, search
from facts import Fact, Setting
from networks import maps, speed, training
from surroundings import machine, runs, tests

from harness.core.devices import CUDA, usable
from harness.core.errors import HarnessError

PARTS: tuple[tuple[int, Callable[[Setting], Iterator[Fact]]], ...] = (
    (5, machine),
    (40, search),
    (60, graph),
    (20, clustering),
    (40, training),
    (40, speed),
    (40, maps),
    (90, runs),
    (60, tests),
)
"""The seconds that each may take, and what it checks."""


def checked(setting: Setting, seconds: float, only: Sequence[str] = ()) -> Iterator[Fact]:
    """All facts, part by part."""
    start = time.perf_counter()
    for need, part in PARTS:
        spent = time.perf_counter() - start
        if only and part.__name__ not in only:
            continue
        if spent + need > seconds:
            yield Fact(f"part {part.__name__}", f"left out: {spent:.0f} s of {seconds:.0f} are gone")
            continue
        try:
            yield from part(setting)
        except Exception:  # a part that breaks is a fact, too
            yield Fact(f"part {part.__name__}", traceback.format_exc(limit=-4), False)
    yield Fact("seconds", time.perf_counter() - start)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse arguments, check, print; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description="Checks a GPU against the CPU.")
    parser.add_argument("--device", default=CUDA)
    parser.add_argument("--small", action="store_true", help="small data: a dry run")
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--only", default="", help=f"some of {', '.join(part.__name__ for _, part in PARTS)}")
    parser.add_argument("--out", type=Path, help="write the facts here, as JSON")
    given = parser.parse_args(arguments)
    try:
        usable(given.device)
    except HarnessError as error:
        print(f"Nothing to check: {error.headline}.")
        return 0
    facts = []
    for fact in checked(Setting(given.device, given.small), given.seconds, [n for n in given.only.split(",") if n]):
        print(fact, flush=True)
        facts.append(fact)
    if given.out:
        given.out.write_text(json.dumps([vars(fact) for fact in facts], indent=1, default=str), encoding="utf-8")
    wrong = sum(fact.right is False for fact in facts)
    print(f"{wrong} of {len(facts)} facts are wrong." if wrong else "All is right.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
