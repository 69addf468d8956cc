"""Progress where there is no terminal: a line when runs begin and, while work lasts, one now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SECONDS: Final = 30.0
"""Between two lines: few enough for the log of a night, often enough for a job that is ended when it says nothing."""


class ProgressLines:
    """Prints what is under way (``harness.core.progress.Progress``).

    Args:
        write: prints a line.
        clock: seconds.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._begun = self._said = clock()
        self._counts: dict[str, tuple[int, int]] = {}

    def update(self, label: str, done: int, total: int) -> None:
        """See ``harness.core.progress.Progress``."""
        self._counts[label] = (done, total)
        if self._clock() - self._said >= SECONDS:
            self._say()
        if done >= total and label != "runs":
            del self._counts[label]

    def _say(self) -> None:
        self._said = self._clock()
        minutes, seconds = divmod(int(self._said - self._begun), 60)
        counts = "; ".join(f"{label} {done:,} of {total:,}" for label, (done, total) in self._counts.items())
        self._write(f"{'...':>6}  {minutes}:{seconds:02}  {counts}")
