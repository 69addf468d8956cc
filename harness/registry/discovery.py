"""Imports the modules of plugins: from entry points (group ``harness``), from a file, or by module name."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from harness.core.errors import HarnessError, PluginError
from harness.registry import modules, source
from harness.registry.entries import Origin, reason
from harness.registry.locations import raised_in
from harness.registry.modules import HARNESS

GROUP: Final = "harness"


_FOLDERS: Final[set[str]] = set()


def in_plugin_folder(file: str | None) -> bool:
    """Whether a module's file lies in the folder of a plugin file, so that it is installed for this process only."""
    return file is not None and any(str(parent) in _FOLDERS for parent in Path(file).parents[:2])


def installed(*, built_in: bool = False) -> Iterator[tuple[importlib.metadata.EntryPoint, Origin]]:
    """Entry points of the installed plugins, the built-in ones first (or alone), and where each comes from."""
    named = cache(_name_and_version)  # which parses all that a distribution says of itself
    points: Iterable[importlib.metadata.EntryPoint] = importlib.metadata.entry_points(group=GROUP)
    if built_in:
        points = [point for point in points if point.dist is not None and named(point.dist)[0] == HARNESS]
    for point in sorted(points, key=lambda point: (not point.value.startswith("harness_"), point.name, point.value)):
        plugin, version = named(point.dist) if point.dist else (point.value, "")
        yield point, Origin(plugin=plugin, version=version, source=f"entry point {point.name}")


def _name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    said = distribution.metadata
    return said["Name"], said["Version"]


def plugin_key(plugin: str) -> str:
    """What identifies a plugin that a user names: the whole path of a file, or the name of a module."""
    return str(Path(plugin).resolve()) if _is_file(plugin) else plugin


def load_named(plugin: str) -> tuple[ModuleType, Origin]:
    """The module of a file or module name given by a user, and its origin.

    Raises:
        PluginError: it does not exist, or cannot be imported.
    """
    kind = "file" if _is_file(plugin) else "module"
    try:
        module = _load_file(Path(plugin)) if kind == "file" else importlib.import_module(plugin)
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        where = raised_in(error, plugin)
        raise PluginError(f"plugin {kind} {plugin} cannot be loaded: {reason(error)}", where=where) from error
    name = Path(plugin).name if kind == "file" else plugin
    return module, Origin(plugin=name, version=str(getattr(module, "__version__", "")), source=f"{kind} {name}")


def _is_file(plugin: str) -> bool:
    return plugin.endswith(".py") or "/" in plugin


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise PluginError(f"there is no plugin file {path}", fix="give the path of a .py file or a module name")
    path = path.resolve()
    root = _package_root(path)
    package = f"{source.PLUGIN_FILES}{zlib.crc32(str(root).encode()):08x}"
    # One module per file, however often it is loaded: instances keep their class and can be pickled.
    name = ".".join([package, *path.relative_to(root).with_suffix("").parts])
    _forget_changed(name, root)
    _make_importable(package, root, path.parent)
    module = _executed(name, path)
    _refuse_others(name, {root, path.parent})
    return module


def _package_root(path: Path) -> Path:
    """The folder to which relative imports of a file lead: that of the file, or the one above its packages."""
    root = path.parent
    while (root / "__init__.py").is_file() and root != root.parent:
        root = root.parent
    return root


def _make_importable(package: str, root: Path, folder: Path) -> None:
    """Let a file import what lies beside it, as ``import sibling`` and as ``from . import sibling``.

    Its folders come last on the path: nothing in them hides an installed module.
    """
    if package not in sys.modules:
        above = ModuleType(package, "The folder of a plugin file.")
        above.__path__ = [str(root)]
        sys.modules[package] = above
    added = [place for place in map(str, dict.fromkeys((folder, root))) if place not in sys.path]
    sys.path += added
    _FOLDERS.update(added)
    importlib.invalidate_caches()


def _executed(name: str, path: Path) -> ModuleType:
    parent = name.rpartition(".")[0]
    if parent.count("."):  # packages between the root and the file are imported as any others
        importlib.import_module(parent)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Bytecode is told apart by size and second: a file that was edited twice in one would run as it was before.
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.dont_write_bytecode = written
    return module


def _forget_changed(name: str, root: Path) -> None:
    """Have what lies beside a plugin file loaded again where any of it has changed: a notebook lives long."""
    modules.forget()
    if name not in sys.modules or not source.changed_since_loaded([name]):
        return
    for imported in source.foreign_modules([name]):
        file = modules.code_file(imported)
        if file and file.resolve().is_relative_to(root):
            sys.modules.pop(imported, None)
            above, _, leaf = imported.rpartition(".")
            vars(sys.modules.get(above, ModuleType(""))).pop(leaf, None)  # else "from . import leaf" finds it there
    modules.forget()


def _refuse_others(name: str, folders: set[Path]) -> None:
    """Raise ``PluginError`` where a module beside the file is not the one that it gets under this name."""
    modules.forget()
    for imported in modules.imported_modules(name):
        for folder in folders:
            beside, meant = folder / f"{imported}.py", modules.code_file(imported)
            if beside.is_file() and meant and meant.resolve() != beside and not modules.is_standard(imported):
                raise PluginError(
                    f"{beside} is not what a plugin beside it imports: {meant} has the same name",
                    fix="rename one of the two, or import it as: from . import " + imported,
                )
