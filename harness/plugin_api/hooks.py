"""The pluggy specification: what a plugin module and a sink may implement, and what a sink sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pluggy

from harness.plugin_api.registration import Registrar

hookspec = pluggy.HookspecMarker("harness")
hookimpl = pluggy.HookimplMarker("harness")


@hookspec
def harness_register(registry: Registrar) -> None:
    """Register methods: ``registry.pooling("gem", GeM)`` or, loaded on first use, ``"my_package.gem:GeM"``."""


class RunView(Protocol):
    """What a sink sees of a run that begins."""

    @property
    def id(self) -> str:
        """Digest of what decides the result."""
        ...

    @property
    def label(self) -> str:
        """``synthetic-instances · tiny · gem · seed 0``."""
        ...

    @property
    def seed(self) -> int: ...


class MethodView(Protocol):
    """One configured method of a record."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def plugin(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def digest(self) -> str: ...


class DatasetView(Protocol):
    """The dataset of a record."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def fingerprint(self) -> str: ...


class CostView(Protocol):
    """The cost of one stage of a run."""

    @property
    def wall_s(self) -> float: ...
    @property
    def peak_bytes(self) -> int: ...


class FailureView(Protocol):
    """Why a run has no result."""

    @property
    def code(self) -> str: ...
    @property
    def message(self) -> str: ...


class RecordView(Protocol):
    """What a sink sees of a finished run.

    ``status`` is ``done`` or ``failed``; ``metrics`` and ``figures`` hold None where a value is not defined; times are
    ISO 8601; ``model_dump(by_alias=True)`` is the whole record as JSON has it.
    """

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def failure(self) -> FailureView | None: ...
    @property
    def task(self) -> str: ...
    @property
    def protocol(self) -> Mapping[str, Any]: ...
    @property
    def protocol_id(self) -> str: ...
    @property
    def dataset(self) -> DatasetView: ...
    @property
    def methods(self) -> Mapping[str, MethodView]: ...
    @property
    def seed(self) -> int: ...
    @property
    def metrics(self) -> Mapping[str, float | None]: ...
    @property
    def details(self) -> Mapping[str, Any]: ...
    @property
    def cost(self) -> Mapping[str, CostView]: ...
    @property
    def figures(self) -> Mapping[str, float | None]: ...
    @property
    def environment(self) -> Mapping[str, Any]: ...
    @property
    def started(self) -> str: ...
    @property
    def finished(self) -> str: ...
    def model_dump(self, *, by_alias: bool = ...) -> dict[str, Any]: ...


class SinkHooks:
    """What a sink may implement: an object that sends records elsewhere, asked for with ``--report NAME``.

    A plugin registers its class, ``registry.sink("mine", Mine)``; it is made without arguments. All hooks are
    called in the main process; one that raises costs a warning and never a run.
    """

    @hookspec
    def harness_run_started(self, run: RunView) -> None:
        """A run begins."""

    @hookspec
    def harness_run_finished(self, record: RecordView) -> None:
        """A run ended, well or not (``record.status``), and its record is written."""

    @hookspec
    def harness_finished(self, records: Sequence[RecordView]) -> None:
        """All runs of a comparison have a record; ``records`` holds those of earlier runs too."""
