"""Knows which method has which name, and makes instances.

Each installed plugin is loaded in its own guard: a broken one is set aside in ``Registry.broken`` and the rest works.
No module of a method is imported before the method is used: what is registered may be a lazy ``"module:Class"``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pluggy

from harness.core.errors import HarnessError, NameTaken, PluginError, UnknownName, nearest, nearest_or_all
from harness.plugin_api import KINDS, Check, Evidence, Registrar, hooks
from harness.plugin_api.registration import SINK
from harness.plugin_api.version import outdated_note
from harness.registry import composition, mistakes, modules, parameters
from harness.registry.discovery import GROUP, installed, load_named, plugin_key
from harness.registry.entries import BrokenPlugin, Entry, FileParameter, MethodId, Origin, reason
from harness.registry.foreign import note_class, note_loading, note_registered
from harness.registry.locations import raised_in
from harness.registry.modules import HARNESS

DESCRIPTORS: Final = "descriptors"
"""The kind of files with descriptors: part of a run as methods are, under any name, and not to be registered."""
_DESCRIPTOR_FILES: Final = "harness.retrieval.descriptors:DescriptorFiles"
_MLFLOW: Final = "harness.sinks.mlflow:MLflowSink"


class Registry:
    """All known methods by kind and name."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        self.broken: list[BrokenPlugin] = []
        self.outdated: list[str] = []
        """A sentence for each plugin that was written for an older version of the plugin API and still works."""
        self._loaded: dict[str, None] = {}
        self.given: dict[tuple[str, str], None] = {}
        """Kinds and names of classes that were given themselves: only this process has them."""
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hooks)
        self.add(Entry(SINK, "mlflow", _MLFLOW, Origin(HARNESS, "", "built in")))

    def names(self, kind: str) -> list[str]:
        """Names of one kind, or of the sinks, sorted. Raises ``UnknownName`` for a kind that does not exist."""
        if kind not in (*KINDS, SINK):
            raise UnknownName(f'unknown kind "{kind}"', fix=f"{nearest(kind, KINDS)} kinds: {', '.join(KINDS)}".strip())
        return sorted(name for registered, name in self._entries if registered == kind)

    def entry(self, kind: str, name: str) -> Entry:
        """What is registered under a name, or composed of registered methods (``pretrain+semi``), or made of files.

        Raises:
            UnknownName: with the nearest known name.
        """
        if kind == DESCRIPTORS:
            return Entry(kind, name, _DESCRIPTOR_FILES, Origin(HARNESS, self._version, "built in"))
        names = self.names(kind)
        if name not in names:
            if kind in composition.COMPOSED and "+" in name:
                return self._composed(kind, name)
            raise UnknownName(
                f'unknown {kind} "{name}"',
                fix=self._where(kind, name),
            )
        return self._entries[kind, name]

    def _where(self, kind: str, name: str) -> str:
        """What may have been meant by a name that a kind does not have."""
        command = f"harness methods {kind}"
        for other in KINDS:
            if (other, name) in self._entries:
                return f'"{name}" is of kind {other} ({command} lists all)'
        found = nearest_or_all(name, self.names(kind), command)
        return found if nearest(name, self.names(kind)) else f"{found}; --plugin FILE loads methods of yours"

    def _composed(self, kind: str, name: str) -> Entry:
        parts = [self.entry(kind, part.strip()) for part in name.split("+")]
        origins = list(dict.fromkeys(part.origin for part in parts))
        origin = Origin(
            plugin="+".join(dict.fromkeys(origin.plugin for origin in origins)),
            version="+".join(dict.fromkeys(origin.version for origin in origins)),
            source=", ".join(dict.fromkeys(origin.source for origin in origins)),
        )
        method = composition.composed(kind, name, tuple(part.load() for part in parts))
        checks = [part.check for part in parts if isinstance(part.check, Mapping)]
        check = {key: value for check in checks for key, value in check.items()}
        return Entry(kind, name, method, origin, check or None)

    def create(self, kind: str, name: str, /, **values: Any) -> Any:
        """An instance with these parameters: ``create("pooling", "gem", p=3.0)``.

        Raises:
            UnknownName: no such kind or name.
            Errors: unknown, missing or bad parameters.
        """
        return parameters.validate(f'{kind} "{name}"', self.entry(kind, name).load(), values)

    def identify(self, kind: str, name: str, instance: Any, files: Mapping[str, FileParameter] = {}) -> MethodId:
        """What identifies a configured method in run ids and records.

        Args:
            kind: of the method.
            name: under which it is registered.
            instance: the method with its parameters.
            files: what its parameters that name files lead to.

        Raises:
            PluginError: its source changed after it was loaded.
        """
        origin = self.entry(kind, name).origin
        return MethodId(
            kind=kind,
            name=name,
            parameters={**parameters.resolved(instance), **{name: file.text for name, file in files.items()}},
            plugin=origin.plugin,
            version=origin.version,
            digest=composition.code_of(type(instance)),
            files={name: file.sha256 for name, file in files.items()},
            origin=origin.source,
        )

    @property
    def _version(self) -> str:
        """Of the built-in methods."""
        origins = (entry.origin for entry in self._entries.values())
        return next((origin.version for origin in origins if origin.plugin == HARNESS and origin.version), "")

    @property
    def loaded(self) -> tuple[str, ...]:
        """Files (with their whole path) and modules that were loaded besides the installed plugins, in that order."""
        return tuple(self._loaded)

    def load(self, plugin: str | Path) -> None:
        """Load one more plugin: a file or a module name; a second time does nothing. Raises ``PluginError``."""
        key = plugin_key(str(plugin))
        if key not in self._loaded:
            path = Path(key)
            code = note_loading(path.name, path if path.is_file() else key, key)
            module, origin = load_named(str(plugin))
            try:
                self.add_plugin(module, origin)
                note_registered(code, self._modules(module, origin))
            except HarnessError as error:
                error.where = error.where or raised_in(error, key)
                raise
            except Exception as error:
                raise mistakes.of_registration(error, str(origin.source), raised_in(error, key)) from error
            self._loaded[key] = None

    def add(self, entry: Entry) -> None:
        """Add one method. Raises ``NameTaken`` if another plugin has the name, naming both."""
        mistakes.require_entry(entry)
        taken = self._entries.get((entry.kind, entry.name))
        if taken is not None and taken.origin == entry.origin:
            raise NameTaken(
                f'{entry.origin} registers the {entry.kind} "{entry.name}" twice', fix="give each method its own name"
            )
        if taken is not None:
            raise NameTaken(
                f'two plugins claim the {entry.kind} "{entry.name}": {taken.origin} and {entry.origin}',
                fix="rename one of the two, or uninstall one of the plugins",
            )
        self._entries[entry.kind, entry.name] = entry

    def name_of(self, kind: str, method: type) -> str:
        """The name under which a class is registered, empty where it is not."""
        targets = (method, f"{method.__module__}:{method.__qualname__}")
        return next((name for (k, name), e in self._entries.items() if k == kind and e.target in targets), "")

    def add_class(self, entry: Entry) -> None:
        """Add a class of a notebook or script, which no process can load again. Raises as ``add``, ``PluginError``."""
        if not isinstance(entry.target, type):
            raise TypeError(entry.target)
        note_class(entry.origin.source, composition.code_of(entry.target))
        self.add(entry)
        self.given[entry.kind, entry.name] = None

    def add_plugin(self, module: ModuleType, origin: Origin) -> None:
        """Let one plugin module register its methods; all of them or, on an error, none."""
        if not hasattr(module, "harness_register"):
            raise PluginError(
                f"{origin} has no function harness_register",
                fix="see the README: a plugin registers its methods in @hookimpl def harness_register(registry)",
            )
        mistakes.require_hook(module, str(origin))
        outdated = outdated_note(module, str(origin))
        before = dict(self._entries)
        self._manager.register(module, name=f"{origin.plugin}:{module.__name__}")
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        call = self._manager.subset_hook_caller("harness_register", others)

        def add(kind: str, name: str, target: type | str, check: Check, evidence: Evidence) -> None:
            self.add(Entry(kind, name, target, origin, check, evidence))

        try:
            call(registry=Registrar(add))
        except BaseException:
            self._entries = before
            self._manager.unregister(module)
            raise
        self.outdated += [outdated] if outdated else []

    def _modules(self, plugin: ModuleType, origin: Origin) -> set[str]:
        """The modules that hold a plugin: its own, and those of the methods that it registered."""
        targets = [entry.target for entry in self._entries.values() if entry.origin == origin]
        held = {t.partition(":")[0] if isinstance(t, str) else t.__module__ for t in targets}
        return {plugin.__name__, *held}


def load_registry(plugins: Iterable[str | Path] = (), *, strict: bool = False, built_in_only: bool = False) -> Registry:
    """The registry of all installed plugins and the named ones.

    Args:
        plugins: files (``mine.py``) or module names to load besides the installed plugins.
        strict: an installed plugin that fails is an error instead of being left out.
        built_in_only: of the installed plugins load the built-in ones alone: no foreign code runs in this process.

    Raises:
        NameTaken: two plugins claim one name.
        PluginError: a named plugin fails, or ``strict`` and an installed one fails.
    """
    modules.forget()  # what lies on the disk may have changed since the last plan of this process
    registry = Registry()
    for point, origin in installed(built_in=built_in_only):
        where, failed = f"{origin.source} = {point.value}", "is broken"
        foreign = origin.plugin != HARNESS
        code = note_loading(f"{origin.plugin} {origin.version}", point.module) if foreign else None
        try:
            module = point.load()
            where, failed = origin.source, "failed to register"
            registry.add_plugin(module, origin)
            if code is not None:
                note_registered(code, registry._modules(module, origin))
        except NameTaken:
            raise
        except (Exception, SystemExit) as error:
            if strict:
                raise PluginError(f"plugin {origin.plugin} ({where}) {failed}: {reason(error)}") from error
            registry.broken.append(BrokenPlugin(origin.plugin, where, reason(error)))
    for plugin in plugins:
        registry.load(plugin)
    return registry
