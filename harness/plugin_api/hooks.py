"""The pluggy specification: what a plugin module and a reporter may implement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from harness.registry import Registrar
    from harness.runs.plan import Run
    from harness.runs.record import Record

hookspec = pluggy.HookspecMarker("harness")
hookimpl = pluggy.HookimplMarker("harness")


@hookspec
def harness_register(registry: Registrar) -> None:
    """Register methods: ``registry.pooling("gem", GeM)`` or, loaded on first use, ``"my_package.gem:GeM"``."""


class ReporterHooks:
    """What a reporter may implement: an object that sends records elsewhere, asked for with ``--report NAME``.

    A plugin registers its class, ``registry.reporter("mine", Mine)``; it is made without arguments. All hooks are
    called in the main process; one that raises costs a warning and never a run.
    """

    @hookspec
    def harness_run_started(self, run: Run) -> None:
        """A run begins: ``run.id``, ``run.label``, ``run.methods``, ``run.seed``."""

    @hookspec
    def harness_run_finished(self, record: Record) -> None:
        """A run ended, well or not (``record.status``), and its record is written."""

    @hookspec
    def harness_finished(self, records: Sequence[Record]) -> None:
        """All runs of a comparison have a record; ``records`` holds those that were there before too."""
