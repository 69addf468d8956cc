"""What processes forked for runs would each find out again; the process that forks them imports this last.

A run of a plugin has a process of its own, which read two hundred sources and the list of what is installed before it
loaded the plugin, and prepared numba for the first compiled function: more than a short run itself takes.
"""

from __future__ import annotations

import contextlib
import sys

from harness.registry.source import remember
from harness.runs.identity import ENGINES


def warm() -> None:
    """Remember the sources of the engines that are loaded; prepare numba where it is loaded."""
    remember(*(engine for engine in ENGINES.values() if engine in sys.modules))
    if "numba" in sys.modules:
        from numba.core.registry import cpu_target

        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


with contextlib.suppress(Exception):  # a run meets it again, and says so
    warm()
