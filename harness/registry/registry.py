"""Finds plugins, knows which method has which name, makes instances.

Plugins come from entry points (group ``harness``), from a file, or from a module name. Each is loaded in its own guard:
a broken entry point is set aside in ``Registry.broken`` and the rest works. Nothing here imports a method's own module
before the method is used: what is registered may be a lazy ``"module:Class"`` reference.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pluggy

from harness.core.errors import HarnessError, NameTaken, PluginError, UnknownName, nearest
from harness.plugin_api import KINDS, Check, Registrar, hooks
from harness.plugin_api.registration import REPORTER
from harness.plugin_api.version import outdated_note
from harness.registry import composition, parameters, source

GROUP: Final = "harness"
_MLFLOW: Final = "harness.sinks.mlflow:MLflowReporter"


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from: shown in listings and kept in records."""

    plugin: str
    version: str
    source: str
    """How it was found: ``entry point``, ``file PATH`` or ``module NAME``."""


@dataclass(frozen=True)
class MethodId:
    """What identifies one configured method in a record: the resolved parameters and the code that runs."""

    kind: str
    name: str
    parameters: Mapping[str, Any]
    plugin: str
    version: str
    digest: str
    origin: str = field(default="", compare=False)


@dataclass(frozen=True)
class Entry:
    """One registered method; ``target`` is the class or a lazy ``"module:Class"``; ``check`` as in ``Registrar``."""

    kind: str
    name: str
    target: type | str
    origin: Origin
    check: Check = None

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
                f'{self.kind} "{self.name}" of plugin {self.origin.plugin} cannot be loaded: {_reason(error)}',
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


class Registry:
    """All known methods by kind and name."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        self.broken: list[BrokenPlugin] = []
        self.outdated: list[str] = []
        """A sentence for each plugin that was written for an older protocol and still works."""
        self._loaded: dict[str, None] = {}
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hooks)
        self.add(Entry(REPORTER, "mlflow", _MLFLOW, Origin("vision-evaluation-harness", "", "built in")))

    def names(self, kind: str) -> list[str]:
        """Names of one kind, or of the reporters, sorted. Raises ``UnknownName`` for a kind that does not exist."""
        if kind not in (*KINDS, REPORTER):
            raise UnknownName(f'unknown kind "{kind}"', fix=f"{nearest(kind, KINDS)} kinds: {', '.join(KINDS)}".strip())
        return sorted(name for known, name in self._entries if known == kind)

    def entry(self, kind: str, name: str) -> Entry:
        """What is registered under a name, or put together from registered parts (``pretrain+semi``).

        Raises:
            UnknownName: with the nearest known name.
        """
        names = self.names(kind)
        if name not in names:
            if kind in composition.COMPOSED and "+" in name:
                return self._composed(kind, name)
            raise UnknownName(
                f'unknown {kind} "{name}"',
                fix=f"{nearest(name, names)} (harness methods {kind} lists all)".strip(),
            )
        return self._entries[kind, name]

    def _composed(self, kind: str, name: str) -> Entry:
        parts = [self.entry(kind, part.strip()) for part in name.split("+")]
        origins = list(dict.fromkeys(part.origin for part in parts))
        origin = Origin(
            plugin="+".join(dict.fromkeys(one.plugin for one in origins)),
            version="+".join(dict.fromkeys(one.version for one in origins)),
            source=", ".join(dict.fromkeys(one.source for one in origins)),
        )
        made = composition.composed(kind, name, tuple(part.load() for part in parts))
        checks = [part.check for part in parts if isinstance(part.check, Mapping)]
        return Entry(kind, name, made, origin, {key: value for check in checks for key, value in check.items()} or None)

    def create(self, kind: str, name: str, **given: Any) -> Any:
        """An instance with these parameters: ``create("pooling", "gem", p=3.0)``.

        Raises:
            UnknownName: no such kind or name.
            Errors: unknown, missing or bad parameters.
        """
        return parameters.validate(f'{kind} "{name}"', self.entry(kind, name).load(), given)

    def identify(self, kind: str, name: str, instance: Any) -> MethodId:
        """What identifies a configured method in run ids and records."""
        origin = self.entry(kind, name).origin
        return MethodId(
            kind=kind,
            name=name,
            parameters=parameters.resolved(instance),
            plugin=origin.plugin,
            version=origin.version,
            digest=composition.digest_of(type(instance)),
            origin=origin.source,
        )

    @property
    def loaded(self) -> tuple[str, ...]:
        """Files (with their whole path) and modules that were loaded besides the installed plugins, in that order."""
        return tuple(self._loaded)

    def load(self, plugin: str | Path) -> None:
        """Load one more plugin: a file or a module name; a second time does nothing. Raises ``PluginError``."""
        key = str(Path(plugin).resolve()) if _is_file(str(plugin)) else str(plugin)
        if key not in self._loaded:
            module, origin = _load_named(str(plugin))
            try:
                self.add_plugin(module, origin)
            except HarnessError:
                raise
            except Exception as error:
                raise PluginError(f"plugin {origin.source} failed to register: {_reason(error)}") from error
            self._loaded[key] = None

    def add(self, entry: Entry) -> None:
        """Add one method. Raises ``NameTaken`` if another plugin has the name, naming both."""
        if not entry.name or entry.name == "none" or not isinstance(entry.name, str):
            raise PluginError(f"plugin {entry.origin.plugin} registers a {entry.kind} under the name {entry.name!r}")
        taken = self._entries.get((entry.kind, entry.name))
        if taken is not None:
            raise NameTaken(
                f'two plugins claim the {entry.kind} "{entry.name}": {_where(taken.origin)} and {_where(entry.origin)}',
                fix="rename one of the two, or uninstall one of the plugins",
            )
        self._entries[entry.kind, entry.name] = entry

    def add_plugin(self, module: ModuleType, origin: Origin) -> None:
        """Let one plugin module register its methods; all of them or, on an error, none."""
        if not hasattr(module, "harness_register"):
            raise PluginError(
                f"{_where(origin)} has no function harness_register",
                fix="see the README: a plugin registers its methods in @hookimpl def harness_register(registry)",
            )
        outdated = outdated_note(module, _where(origin))
        before = dict(self._entries)
        self._manager.register(module, name=f"{origin.plugin}:{module.__name__}")
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        call = self._manager.subset_hook_caller("harness_register", others)
        try:
            call(registry=Registrar(lambda *method: self.add(_entry(origin, *method))))
        except BaseException:
            self._entries = before
            self._manager.unregister(module)
            raise
        self.outdated += [outdated] if outdated else []


def load_registry(plugins: Iterable[str | Path] = (), *, strict: bool = False) -> Registry:
    """The registry of all installed plugins and the named ones.

    Args:
        plugins: files (``mine.py``) or module names to load besides the installed plugins.
        strict: an installed plugin that fails is an error instead of being left out.

    Raises:
        NameTaken: two plugins claim one name.
        PluginError: a named plugin fails, or ``strict`` and an installed one fails.
    """
    registry = Registry()
    found = importlib.metadata.entry_points(group=GROUP)
    for point in sorted(found, key=lambda point: (not point.value.startswith("harness_"), point.name, point.value)):
        distribution = point.dist
        origin = Origin(
            plugin=distribution.name if distribution else point.value,
            version=distribution.version if distribution else "",
            source=f"entry point {point.name}",
        )
        try:
            module = point.load()
        except (Exception, SystemExit) as error:
            broken = BrokenPlugin(origin.plugin, f"entry point {point.name} = {point.value}", _reason(error))
            if strict:
                raise PluginError(str(broken)) from error
            registry.broken.append(broken)
            continue
        _guarded(registry, module, origin, strict)
    for plugin in plugins:
        registry.load(plugin)
    return registry


def _guarded(registry: Registry, module: ModuleType, origin: Origin, strict: bool) -> None:
    try:
        registry.add_plugin(module, origin)
    except NameTaken:
        raise
    except (Exception, SystemExit) as error:
        if strict:
            raise PluginError(
                f"plugin {origin.plugin} ({origin.source}) failed to register: {_reason(error)}"
            ) from error
        registry.broken.append(BrokenPlugin(origin.plugin, origin.source, _reason(error)))


def _load_named(plugin: str) -> tuple[ModuleType, Origin]:
    """A file or module given by the user: a failure is the user's to see, not to be left out."""
    kind = "file" if _is_file(plugin) else "module"
    try:
        module = _load_file(Path(plugin)) if kind == "file" else importlib.import_module(plugin)
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"plugin {kind} {plugin} cannot be loaded: {_reason(error)}{_line(error, plugin)}") from error
    name = Path(plugin).name if kind == "file" else plugin
    return module, Origin(plugin=name, version=str(getattr(module, "__version__", "")), source=f"{kind} {name}")


def _is_file(plugin: str) -> bool:
    return plugin.endswith(".py") or "/" in plugin


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise PluginError(f"there is no plugin file {path}", fix="give the path of a .py file or a module name")
    # One module per file, however often it is loaded: instances keep their class and can be pickled.
    name = f"harness_plugin_{path.stem}_{zlib.crc32(str(path.resolve()).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _entry(origin: Origin, kind: str, name: str, target: type | str, check: Check) -> Entry:
    return Entry(kind, name, target, origin, check)


def _where(origin: Origin) -> str:
    return f"{origin.plugin} ({origin.source})"


def _reason(error: BaseException) -> str:
    if isinstance(error, HarnessError):
        return error.headline
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _line(error: BaseException, plugin: str) -> str:
    """Where in the user's own file it happened."""
    traceback, line = error.__traceback__, None
    while traceback is not None:
        if Path(traceback.tb_frame.f_code.co_filename).name == Path(plugin).name:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f" (line {line})" if line else ""
