"""What is checked: a registered method with the parameters on which it is tried, and the folders it may use."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import PluginError, UnknownName, nearest
from harness.plugin_api import KINDS, DataFolders
from harness.registry import Entry, Registry, load_registry, parameters


@dataclass(frozen=True)
class MethodUnderTest:
    """One method under check.

    Attributes:
        entry: the registered method.
        registry: where it is registered.
        plugins: files and modules that a worker process has to load to find it.
    """

    entry: Entry
    registry: Registry
    plugins: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """``pooling:gem``."""
        return f"{self.entry.kind}:{self.entry.name}"

    def parameters(self, folder: Path) -> Mapping[str, Any]:
        """The parameters that the plugin registered for its check (``check=``): none are the defaults.

        A function writes what the method needs into ``folder`` and returns the parameters.

        Raises:
            PluginError: the function cannot be had, or fails.
        """
        check = self.entry.check
        try:
            if isinstance(check, str):
                module, _, name = check.partition(":")
                check = getattr(importlib.import_module(module), name)
            return dict(check(folder) if callable(check) else check or {})
        except Exception as error:
            raise PluginError(
                f"the parameters for the check of {self.label} cannot be made: {type(error).__name__}: {error}",
                fix="check= takes a mapping, or a function of a folder that returns one",
            ) from error

    def create(self, inputs: Mapping[str, Any]) -> Any:
        """A new instance. Raises ``Errors`` for bad parameters, ``PluginError`` where the class is none."""
        return parameters.validate(self.label, self.entry.load(), inputs)

    def folders(self, folder: Path) -> DataFolders:
        """Data beside the example that the plugin brings, else the user's; the cache is always a new one."""
        from harness.data.folders import data_folders

        root = folder if self.entry.check else data_folders(None).root
        return DataFolders(root=root, cache=folder / "cache")


def find(target: str, plugins: tuple[str, ...] = (), names: Iterable[str] = ()) -> list[MethodUnderTest]:
    """The methods that a target names.

    Args:
        target: a plugin file, the name of an installed distribution or module, ``kind:name``, or ``--all``.
        plugins: files or modules to load besides.
        names: what else the caller takes, of which a message names the nearest.

    Raises:
        UnknownName: nothing is called so.
        PluginError: a plugin cannot be loaded.
    """
    registry = load_registry(plugins)
    kind, _, name = target.partition(":")
    if name and kind in KINDS:
        return [MethodUnderTest(registry.entry(kind, name), registry, plugins)]
    if target == "--all":
        return [MethodUnderTest(entry, registry, plugins) for entry in _entries(registry)]
    known = {entry.origin.plugin for entry in _entries(registry)}
    if target in known:
        return [
            MethodUnderTest(entry, registry, plugins) for entry in _entries(registry) if entry.origin.plugin == target
        ]
    for broken in registry.broken:
        if broken.name == target:
            raise PluginError(str(broken))
    labels = [f"{entry.kind}:{entry.name}" for entry in _entries(registry) if entry.name == target]
    meant = f"did you mean {' or '.join(labels)}?" if labels else nearest(target, known | {*names})
    return _loaded(target, registry, plugins, meant)


def _loaded(target: str, registry: Registry, plugins: tuple[str, ...], meant: str) -> list[MethodUnderTest]:
    """The methods that a file or a module registers."""
    before = {(entry.kind, entry.name) for entry in _entries(registry)}
    try:
        registry.load(target)
    except PluginError as error:
        if target.endswith(".py") or "/" in target or importlib.util.find_spec(target.partition(".")[0]):
            raise
        raise UnknownName(
            f'there is nothing called "{target}"',
            fix=f"{meant} give KIND:NAME of a method, a .py file, or an installed plugin".strip(),
        ) from error
    found = [entry for entry in _entries(registry) if (entry.kind, entry.name) not in before]
    if not found:
        raise PluginError(f"plugin {target} registers no method", fix='registry.pooling("mine", Mine), for instance')
    return [MethodUnderTest(entry, registry, (*plugins, target)) for entry in found]


def _entries(registry: Registry) -> Iterator[Entry]:
    return (registry.entry(kind, name) for kind in KINDS for name in registry.names(kind))
