"""Progress bars in notebooks, as HTML that is replaced in its place: no widget, so a stored notebook stays readable."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any, Final

_SECONDS: Final = 0.2
"""Between two pictures of one bar."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


class NotebookProgress:
    """One bar per kind of work (``harness.core.progress.Progress``); a finished one goes, but that of all runs."""

    def __init__(self) -> None:
        self._bars: dict[str, tuple[int, int]] = {}
        self._handle: Any = None
        self._shown = 0.0

    def update(self, label: str, done: int, total: int) -> None:
        """See ``harness.core.progress.Progress``."""
        self._bars[label] = (done, total)
        finished = done >= total
        if finished and label != "runs":
            del self._bars[label]
        if finished or time.monotonic() - self._shown >= _SECONDS:
            self._show()

    def _show(self) -> None:
        import IPython.display

        shown: Any = IPython.display  # its functions have no types
        picture = shown.HTML("".join(_bar(label, *counts) for label, counts in self._bars.items()))
        if self._handle is None:
            self._handle = shown.display(picture, display_id=True)
        else:
            self._handle.update(picture)
        self._shown = time.monotonic()


def _bar(label: str, done: int, total: int) -> str:
    name = escape(label, quote=True)
    return (
        f'<div><progress value="{done}" max="{max(total, 1)}" aria-label="{name}"></progress> '
        f"{name} {done:,} of {total:,}</div>"
    )
