"""Which runs are done again: a number or a share of them, those first that were done again least often."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import BadParameter
from harness.core.text import sentence


@dataclass(frozen=True)
class Share:
    """A number of runs, or a share of them: ``3`` or ``5%``."""

    number: float
    percent: bool = False

    @classmethod
    def parse(cls, text: int | str) -> Share:
        """The share that a text says. Raises ``BadParameter``."""
        number, percent = str(text).removesuffix("%"), str(text).endswith("%")
        try:
            share = float(number) if percent else int(number)
        except ValueError:
            share = -1
        if not 0 <= share <= (100 if percent else math.inf):
            raise BadParameter(f'bad number of runs "{sentence(text, 80)}"', fix="give a number, 3, or a share, 5%")
        return cls(share, percent)

    def of(self, total: int) -> int:
        """How many of a total: a share is rounded up, and never more than all."""
        return min(math.ceil(total * self.number / 100 - 1e-9) if self.percent else int(self.number), total)


def drawn(files: Iterable[Path], share: Share, seed: str, times: Callable[[Path], int] | None = None) -> list[Path]:
    """The records whose runs are done again.

    Args:
        files: of the records to choose from.
        share: how many of them.
        seed: the same draws the same of the same files.
        times: how often the run of a record was done again already; those of the fewest times come first, so that in
            the end each was. By default all are alike.
    """
    mixed = sorted(files)
    random.Random(seed).shuffle(mixed)  # noqa: S311  # no secret: whoever needs one gives a seed that nobody knows
    return sorted(mixed, key=times)[: share.of(len(mixed))] if times else mixed[: share.of(len(mixed))]


def rounds(left: int, at_once: int) -> tuple[float, int]:
    """How often the same number of runs must be drawn of those that were never done again.

    Returns:
        Until one given run of them is drawn, on average; until all are.
    """
    if left == 0 or at_once == 0:
        return 0.0, 0
    each = [math.ceil(place / at_once) for place in range(1, left + 1)]
    return sum(each) / left, each[-1]
