"""Calls the sinks that a user asked for; one that fails costs a warning, never a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pluggy

from harness.core.errors import HarnessError, PluginError
from harness.plugin_api import SinkHooks
from harness.registry import GROUP, SINK, Registry
from harness.registry.entries import reason
from harness.runs.identity import Run
from harness.runs.record import Record


def to_standard_error(text: str) -> None:
    """Print a warning."""
    print(f"warning: {text}", file=sys.stderr)


class Sinks:
    """The hooks of some sinks.

    A sink that raises is named in one warning and not called again: a server that does not answer must not cost its
    time-out once a run. ``harness send`` sends afterwards what it missed.

    Args:
        sinks: name -> object with methods marked ``@hookimpl``.
        warn: takes the sentence about a sink that failed.

    Raises:
        PluginError: an object implements no hook, or one that does not exist.
    """

    def __init__(
        self, sinks: Mapping[str, object] | None = None, warn: Callable[[str], None] = to_standard_error
    ) -> None:
        self._warn = warn
        self._managers = {name: _manager(name, sink) for name, sink in (sinks or {}).items()}
        self.failed: list[str] = []

    def run_started(self, run: Run) -> None:
        """Tell that a run begins."""
        self._call("harness_run_started", run=run)

    def run_finished(self, record: Record) -> None:
        """Tell that a run ended and its record is written."""
        self._call("harness_run_finished", record=record)

    def finished(self, records: Sequence[Record]) -> None:
        """Tell that all runs have records."""
        self._call("harness_finished", records=records)

    def _call(self, hook: str, **arguments: Any) -> None:
        for name, manager in list(self._managers.items()):
            try:
                getattr(manager.hook, hook)(**arguments)
            except (Exception, SystemExit) as error:
                del self._managers[name]
                self.failed.append(name)
                self._warn(f'sink "{name}" failed and gets nothing more: {reason(error)}')


def open_sinks(registry: Registry, names: Iterable[str], warn: Callable[[str], None] = to_standard_error) -> Sinks:
    """The sinks of these names, made and checked before anything runs.

    Raises:
        UnknownName: no such sink.
        PluginError: a sink cannot be loaded or made, or implements no hook.
    """
    return Sinks({name: _instance(registry, name) for name in dict.fromkeys(names)}, warn)


def send(
    records: Sequence[Record], registry: Registry, names: Iterable[str], warn: Callable[[str], None] = to_standard_error
) -> list[str]:
    """Send records that are there to sinks, as if their runs had just finished; returns who failed.

    Raises:
        UnknownName: no such sink.
        PluginError: a sink cannot be loaded or made, or implements no hook.
    """
    hooks = open_sinks(registry, names, warn)
    for record in records:
        hooks.run_finished(record)
    hooks.finished(records)
    return hooks.failed


def _instance(registry: Registry, name: str) -> object:
    sink = registry.entry(SINK, name).load()
    try:
        instance: object = sink()
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f'sink "{name}" cannot start: {reason(error)}') from error
    return instance


def _manager(name: str, sink: object) -> pluggy.PluginManager:
    """A manager of its own for each, so that one that raises does not keep the call from the others."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(SinkHooks)
    hooks = ", ".join(hook for hook in vars(SinkHooks) if hook.startswith("harness_"))
    try:
        manager.register(sink, name=name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f'sink "{name}": {" ".join(str(error).split())}', fix=f"the hooks are {hooks}") from error
    if not manager.get_hookcallers(sink):
        raise PluginError(f'sink "{name}" implements no hook', fix=f"mark one of {hooks} with @hookimpl")
    return manager
