"""What identifies a class that no module can be loaded for again: of a notebook, of a script, or of a function's body.

Its own source counts, and whatever that names: classes and functions beside it by their source, modules as the source
of a plugin file counts what it imports, plain values by what they are. Nothing else of a notebook or script counts, so
that a cell that is changed or added leaves finished runs as they are.
"""

from __future__ import annotations

import ast
import hashlib
import json
import linecache
import symtable
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

from harness.core.errors import PluginError
from harness.registry import source
from harness.registry.locations import functions_of

_MAIN: Final = "__main__"
_LOCALS: Final = "<locals>"
_NODES: Final = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_ALIASES: Final = ("typing", "types", "collections.abc")
"""Modules of what annotations are made of: ``Array = NDArray[np.float32]``."""


def is_of_session(value: Any) -> bool:
    """Whether a class or function is in no module that could be imported elsewhere, or holds values of a function."""
    if not isinstance(value, type | types.FunctionType):
        return False
    return value.__module__ == _MAIN or _LOCALS in value.__qualname__


def session_digest(method: type) -> str:
    """SHA-256 of what identifies a class of a session, as 64 hex.

    Raises:
        PluginError: its source is not to be had, or it uses a value that cannot be told from others.
    """
    waiting: list[tuple[str, Any]] = [("", method)]
    lines: list[str] = []
    roots: set[str] = set()
    seen: set[int] = set()
    while waiting:
        name, value = waiting.pop()
        if is_of_session(value):
            if id(value) in seen:
                continue
            seen.add(id(value))
            node = _node(value)
            lines.append(f"{name}\0{source.meaning(ast.Module([node], []))}")
            waiting += _named(node, value)
            roots |= {value.__module__} - {_MAIN}
        elif module := _module(value):
            roots.add(module)
            lines.append(f"{name}\0{module}\0{getattr(value, '__qualname__', getattr(value, '__name__', ''))}")
        else:
            lines.append(f"{name}\0{_plain(method, name, value)}")
    lines += [source.foreign_digest(*sorted(roots))] if roots else []
    return hashlib.sha256("\0".join(sorted(lines)).encode()).hexdigest()


def _module(value: Any) -> str:
    """The module that holds a class, a function or what it is itself; empty for any other value."""
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, type) or callable(value) and hasattr(value, "__name__"):
        return str(getattr(value, "__module__", None) or "builtins")
    return ""


def _named(node: ast.AST, value: Any) -> Iterator[tuple[str, Any]]:
    """What the source of a class or function names outside of itself, in a fixed order; names of Python left out."""
    around = _captured(value)
    if value.__module__ == _MAIN:
        around = {**vars(sys.modules[_MAIN]), **around}
    for name in sorted(_free_names(ast.unparse(node)) - {value.__name__}):
        if name in around:
            yield name, around[name]


def _free_names(text: str) -> set[str]:
    names: set[str] = set()
    tables = [symtable.symtable(text, "class", "exec")]
    while tables:
        table = tables.pop()
        outermost = table.get_type() == "module"
        names |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (outermost or s.is_global())}
        tables += table.get_children()
    return names


def _captured(value: Any) -> dict[str, Any]:
    """Values of the functions around a class or function that it holds on to."""
    captured: dict[str, Any] = {}
    for function in _functions(value):
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name != "__class__":
                captured[name] = cell.cell_contents
    return captured


def _functions(value: Any) -> list[types.FunctionType]:
    return [value] if isinstance(value, types.FunctionType) else functions_of(value)


def _node(value: Any) -> ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef:
    """The syntax tree of a class or function: cells of a notebook are files to ``linecache``."""
    name = value.__qualname__.rpartition(f"{_LOCALS}.")[2].rpartition(".")[2]
    for function in _functions(value):
        text, line = "".join(linecache.getlines(function.__code__.co_filename)), function.__code__.co_firstlineno
        try:
            nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, _NODES) and node.name == name]
        except SyntaxError:
            continue
        around = [node for node in nodes if _first_line(node) <= line <= (node.end_lineno or 0)]
        if around:
            return max(around, key=_first_line)
    raise PluginError(
        f"{value.__qualname__}: its source cannot be read, so nothing tells its results from those of another",
        fix="write it with def or class, with a method of its own, in a notebook's cell or in a file",
    )


def _first_line(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _plain(method: type, name: str, value: Any) -> str:
    """A value as text that is the same in every session. Raises ``PluginError`` for what has none."""
    if type(value).__module__ in _ALIASES or isinstance(value, typing.TypeVar):
        return repr(value)
    if hasattr(value, "__array__"):
        import numpy as np

        array = np.ascontiguousarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if not array.dtype.hasobject:
            return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
    try:
        return json.dumps(_jsonable(value), sort_keys=True)
    except TypeError as error:
        raise PluginError(
            f"{method.__qualname__} uses {name}, a {type(value).__name__}, which cannot identify a run",
            fix=f"make it a parameter (a field of the class), or make {name} inside the class",
        ) from error


def _jsonable(value: Any) -> Any:
    """Containers and paths as JSON has them, each kind by its name."""
    if isinstance(value, Mapping):
        return {"mapping": sorted([json.dumps(_jsonable(key)), _jsonable(item)] for key, item in value.items())}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_jsonable(item) for item in value]}
    if isinstance(value, set | frozenset):
        return {"set": sorted(json.dumps(_jsonable(item)) for item in value)}
    if isinstance(value, PurePath):
        return {"path": value.as_posix()}
    return value
