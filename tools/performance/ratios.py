"""Ratios of interleaved pairs: how they are measured, kept, and shown."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

VERSION = 1
"""Of the file."""
_LEVEL = 0.95
_HEAD = """\
# Performance

See how fast the harness is beside installed peers and beside what one would write first. Both sides get the same input
in turns, in one process. Their results are compared before they are timed.

| what | input | peer | times as fast | 95% interval | results agree in |
| --- | --- | --- | ---: | ---: | --- |"""
_FOOT = """
A ratio is the time of the peer over the time of the harness: above 1 the harness is faster. Each row is the median of
at least {rounds} ratios. Its interval comes from order statistics.

`gem` works with one thread, and the peer with those stated. Runs of the harness give each operation one thread.

Measured on {measured} at commit {commit}, on {cores} cores ({processor}), with `make bench`: {packages}. Ratios differ
between processors: the same command measures yours.
"""


@dataclass(frozen=True)
class Ratio:
    """A comparison as it is kept.

    Attributes:
        name: what is computed.
        size: of the input.
        peer: what it is compared with, with its version.
        same: in what the results agree.
        ratios: time of the peer over that of the harness, a pair of interleaved calls each.
        processor: the same ratio of processor times, which other work on the machine changes less.
    """

    name: str
    size: str
    peer: str
    same: str
    ratios: tuple[float, ...]
    processor: tuple[float, ...]

    @property
    def median(self) -> float:
        """How many times as fast the harness is."""
        return statistics.median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the median, at least 95%: two order statistics, whatever the distribution."""
        ordered, n = sorted(self.ratios), len(self.ratios)
        outside, tail = 0, 0.5**n
        while 2 * (tail + math.comb(n, outside + 1) * 0.5**n) <= 1 - _LEVEL:
            outside += 1
            tail += math.comb(n, outside) * 0.5**n
        return ordered[outside], ordered[n - 1 - outside]


class Pair(NamedTuple):
    """One round: ratios of wall times and of processor times, and the seconds of one call of ours."""

    wall: float
    processor: float
    seconds: float = 0.0


def pairs(ours: Callable[[], object], peer: Callable[[], object], rounds: int, repeat: int = 1) -> Iterator[Pair]:
    """The times of each round; who is first alternates."""
    for number in range(rounds):
        times = {}
        for work in (ours, peer) if number % 2 == 0 else (peer, ours):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(repeat):
                work()
            times[work] = time.perf_counter() - wall, time.process_time() - cpu
        (wall, cpu), (peers_wall, peers_cpu) = times[ours], times[peer]
        yield Pair(peers_wall / wall, peers_cpu / max(cpu, 1e-9), wall / repeat)


def stored(found: Sequence[Ratio], machine: Mapping[str, Any]) -> dict[str, Any]:
    """What the file holds."""
    rows = [
        {**asdict(ratio), "median": _digits(ratio.median), "interval": [_digits(end) for end in ratio.interval]}
        for ratio in found
    ]
    for row in rows:
        row |= {key: [_digits(value) for value in row[key]] for key in ("ratios", "processor")}
    return {"version": VERSION, **machine, "comparisons": rows}


def read(content: Mapping[str, Any]) -> list[Ratio]:
    """The ratios of a file.

    Raises:
        ValueError: a file of another version.
    """
    if content["version"] != VERSION:
        raise ValueError(f"ratios of version {content['version']}, not {VERSION}: run make bench")
    names = ("name", "size", "peer", "same")
    return [
        Ratio(*(row[name] for name in names), tuple(row["ratios"]), tuple(row["processor"]))
        for row in content["comparisons"]
    ]


def page(content: Mapping[str, Any]) -> str:
    """The page of a file, as Markdown."""
    found = read(content)
    lines = [_HEAD]
    for ratio in found:
        low, high = ratio.interval
        cells = [ratio.name, ratio.size, ratio.peer, f"**{ratio.median:.3g}**", f"{low:.3g} to {high:.3g}", ratio.same]
        lines.append("| " + " | ".join(cells) + " |")
    packages = ", ".join(f"{name} {version}" for name, version in content["packages"].items())
    foot = _FOOT.format(rounds=min(len(ratio.ratios) for ratio in found), **{**content, "packages": packages})
    return "\n".join([*lines, foot])


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
