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


def track(items: Iterable[T], total: int, label: str, reporter: Reporter) -> Iterator[T]:
    """Yield ``items`` and report after each."""
    reporter.update(label, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        reporter.update(label, done, total)
