"""What is registered under a name, where it comes from, and what identifies a configured method."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, PluginError
from harness.plugin_api import Check, Evidence
from harness.registry import source
from harness.registry.modules import HARNESS


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from: shown in listings and stored in records."""

    plugin: str
    version: str
    source: str
    """How it was found: ``entry point``, ``file PATH`` or ``module NAME``."""

    def __str__(self) -> str:
        return f"{self.plugin} ({self.source})"


@dataclass(frozen=True)
class FileParameter:
    """A file or folder that a parameter names.

    Attributes:
        text: the name as the spec has it, for records and boards.
        path: where it is on this machine.
        sha256: of its content.
    """

    text: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class MethodId:
    """What identifies one configured method in a record: the resolved parameters and the code that runs.

    Attributes:
        digest: what identifies the code: the result version of a built-in method, the source of any other.
        files: SHA-256 of what the parameters that name files lead to; it counts in place of the names.
        origin: how the plugin was found.
    """

    kind: str
    name: str
    parameters: Mapping[str, Any]
    plugin: str
    version: str
    digest: str
    files: Mapping[str, str] = field(default_factory=dict)
    origin: str = field(default="", compare=False)

    @property
    def key(self) -> dict[str, Any]:
        """The part of the identity of a run, or of a cached array, that this method is."""
        return method_key(self.kind, self.name, self.parameters, self.plugin, self.version, self.digest, self.files)


def method_key(
    kind: str,
    name: str,
    parameters: Mapping[str, Any],
    plugin: str,
    version: str,
    digest: str,
    files: Mapping[str, str],
) -> dict[str, Any]:
    """What a method counts by: files by their content, and this distribution by its result versions alone."""
    return {
        "kind": kind,
        "name": name,
        "parameters": {name: files.get(name) or value for name, value in parameters.items()},
        "plugin": plugin,
        "version": "" if plugin == HARNESS else version,
        "digest": digest,
    }


@dataclass(frozen=True)
class Entry:
    """One registered method; ``target`` is the class or a lazy ``"module:Class"``; the last two as in ``Registrar``."""

    kind: str
    name: str
    target: type | str
    origin: Origin
    check: Check = None
    evidence: Evidence = None

    @property
    def summary(self) -> str:
        """First line of the class's docstring, read without importing it."""
        if isinstance(self.target, str):
            module, _, attribute = self.target.partition(":")
            return source.summary(module, attribute)
        return (self.target.__doc__ or "").strip().partition("\n")[0]

    def load(self) -> type:
        """The class itself. Raises ``PluginError`` if its module cannot be imported."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            method: type = getattr(importlib.import_module(module), attribute)
        except Exception as error:
            raise PluginError(
                f'{self.kind} "{self.name}" of plugin {self.origin.plugin} cannot be loaded: {reason(error)}',
                fix=f"check {self.target}",
            ) from error
        return method


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that could not be loaded."""

    name: str
    source: str
    reason: str

    def __str__(self) -> str:
        return f"plugin {self.name} ({self.source}) is broken and was left out: {self.reason}"


def reason(error: BaseException) -> str:
    """An error of a plugin in one line: of any other than a ``HarnessError`` with its type."""
    if isinstance(error, HarnessError):
        return error.headline
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
