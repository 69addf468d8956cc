"""Imports the modules of plugins: from entry points (group ``harness``), from a file, or by module name."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from harness.core.errors import HarnessError, PluginError
from harness.registry.entries import Origin, reason

GROUP: Final = "harness"


def installed() -> Iterator[tuple[importlib.metadata.EntryPoint, Origin]]:
    """Entry points of the installed plugins, the built-in ones first, and where each comes from."""
    points = importlib.metadata.entry_points(group=GROUP)
    for point in sorted(points, key=lambda point: (not point.value.startswith("harness_"), point.name, point.value)):
        distribution = point.dist
        yield (
            point,
            Origin(
                plugin=distribution.name if distribution else point.value,
                version=distribution.version if distribution else "",
                source=f"entry point {point.name}",
            ),
        )


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
        raise PluginError(f"plugin {kind} {plugin} cannot be loaded: {reason(error)}{_line(error, plugin)}") from error
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


def _line(error: BaseException, plugin: str) -> str:
    """Where in the user's own file it happened."""
    traceback, line = error.__traceback__, None
    while traceback is not None:
        if Path(traceback.tb_frame.f_code.co_filename).name == Path(plugin).name:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f" (line {line})" if line else ""
