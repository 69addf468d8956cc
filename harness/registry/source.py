"""Digest of the source behind a method: what it says, without comments and formatting.

The digest covers the method's module and, through its imports, every module of the same package, of the harness and of
the built-in methods that it uses. So a changed helper gives a new identity, and a changed comment does not. Nothing is
imported to find this out.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

_WITHOUT_EFFECT: Final = frozenset(
    {
        "harness",
        "harness.registry.composition",
        "harness.core.errors",
        "harness.core.lazy",
        "harness.core.cost",
        "harness.core.progress",
        "harness.registry",
        "harness.registry.source",
    }
)
"""Modules used for errors, costs, registration and these digests only: they cannot change a result."""
_TYPES: Final = "harness.plugin_api"
"""The package that holds types only."""


def source_digest(module: str) -> str:
    """SHA-256 over the module and what it imports from its own package, the harness and built-in methods, 64 hex."""
    total = hashlib.sha256()
    for name in sorted(_closure(module)):
        # The module's own name may hold the path of a user's file: where it lies is no part of what it does.
        label = "" if name == module else name
        total.update(f"{label}\0{_own_digest(name)}\0".encode())
    return total.hexdigest()


def libraries(module: str, roots: frozenset[str]) -> set[str]:
    """Modules of the packages ``roots`` that a module, and what its source digest covers, imports anywhere.

    Imports inside functions count: they are what a process that is to fork should have done beforehand.
    """
    return {name for part in _closure(module) for name in _all_imports(part) if name.partition(".")[0] in roots}


@cache
def _all_imports(module: str) -> tuple[str, ...]:
    tree = _tree(module)
    names: list[str] = []
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.append(node.module)
    return tuple(names)


@cache
def summary(module: str, attribute: str) -> str:
    """First line of the docstring of a class or function, read without importing its module.

    Found by its text: parsing every module would take a third of the time of ``harness methods``.
    """
    path = _file(module)
    if path is None:
        return ""
    text = path.read_text(encoding="utf-8")
    match = re.search(
        rf'^(?:class|def) {re.escape(attribute)}\b[^"]*?:\n\s+[rR]?"""(.*?)(?:\n|""")', text, re.MULTILINE
    )
    return match[1].strip() if match else ""


def _is_without_effect(name: str, module: str) -> bool:
    return name != module and (name in _WITHOUT_EFFECT or f"{name}.".startswith(f"{_TYPES}."))


def _closure(module: str) -> set[str]:
    modules: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in modules or _is_without_effect(name, module) or _file(name) is None:
            continue
        modules.add(name)
        waiting += _imports(name, module.partition(".")[0])
    return modules


@cache
def _imports(module: str, own: str) -> tuple[str, ...]:
    """What a module imports from its own package, the harness, and the packages of built-in methods."""
    tree = _tree(module)
    names = [name for node in ast.walk(tree) for name in _imported(node, module)] if tree else []
    roots = [(name, name.partition(".")[0]) for name in names]
    return tuple(name for name, root in roots if root in (own, "harness") or root.startswith("harness_"))


def _imported(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = module if _is_package(module) else module.rpartition(".")[0]
            for _ in range(node.level - 1):
                package = package.rpartition(".")[0]
            base = f"{package}.{base}".rstrip(".")
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def _own_digest(module: str) -> str:
    tree = _tree(module)
    if tree is None:
        return ""
    for node in ast.walk(tree):
        _drop_docstring(node)
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        node.body = [statement for statement in node.body if not _is_string(statement)] or [ast.Pass()]


def _is_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _tree(module: str) -> ast.Module | None:
    """A fresh tree: callers may change it."""
    path = _file(module)
    return ast.parse(path.read_bytes()) if path else None


def _is_package(module: str) -> bool:
    path = _file(module)
    return path is not None and path.name == "__init__.py"


@cache
def _file(module: str) -> Path | None:
    """The ``.py`` file of a module, or None for a name that is no module (or is compiled)."""
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None) if loaded else _find(module)
    return Path(origin) if origin and origin.endswith(".py") else None


def _find(module: str) -> str | None:
    parent, _, leaf = module.rpartition(".")
    if not parent:
        spec = importlib.util.find_spec(module)
        return spec.origin if spec else None
    # importlib would import the parent package to look inside it: look beside its file instead.
    package = _file(parent)
    if package is None or package.name != "__init__.py":
        return None
    for candidate in (package.parent / leaf / "__init__.py", package.parent / f"{leaf}.py"):
        if candidate.is_file():
            return str(candidate)
    return None
