"""How long work reports its progress, without knowing who shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Shows progress: the command line draws bars, or prints lines where it has no terminal; tests stay silent."""

    def update(self, label: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of the work called ``label`` are finished; the last call has them equal."""
        ...


class SilentProgress:
    """Shows nothing."""

    def update(self, label: str, done: int, total: int) -> None:
        """Do nothing."""


class PartialProgress:
    """Progress of a piece of longer work: counts continue where the pieces before it ended.

    Args:
        progress: told of the whole.
        before: steps that are done already.
        total: steps of the whole.
    """

    def __init__(self, progress: Progress, before: int, total: int) -> None:
        self._progress, self._before, self._total = progress, before, total

    def update(self, label: str, done: int, total: int) -> None:
        """Report ``done`` steps of the piece as steps of the whole."""
        self._progress.update(label, self._before + done, self._total)


def track(items: Iterable[T], total: int, label: str, progress: Progress) -> Iterator[T]:
    """Yield ``items`` and report after each."""
    progress.update(label, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        progress.update(label, done, total)
