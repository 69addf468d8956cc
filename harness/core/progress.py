"""How long work tells how far it is, without knowing who shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Reporter(Protocol):
    """Shows progress; the command line draws bars, tests and pipes stay silent."""

    def update(self, label: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of the work called ``label`` are finished; the last call has them equal."""
        ...


class Silent:
    """The reporter that shows nothing."""

    def update(self, label: str, done: int, total: int) -> None:
        """Do nothing."""


class Part:
    """A reporter for a piece of longer work: counts go on where the pieces before it ended.

    Args:
        reporter: shows the whole.
        before: steps that are done already.
        total: steps of the whole.
    """

    def __init__(self, reporter: Reporter, before: int, total: int) -> None:
        self._reporter, self._before, self._total = reporter, before, total

    def update(self, label: str, done: int, total: int) -> None:
        """Report ``done`` steps of the piece as steps of the whole."""
        self._reporter.update(label, self._before + done, self._total)


def track(items: Iterable[T], total: int, label: str, reporter: Reporter) -> Iterator[T]:
    """Yield ``items`` and report after each."""
    reporter.update(label, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        reporter.update(label, done, total)
