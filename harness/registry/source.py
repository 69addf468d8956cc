"""What identifies code: a declared result version where it is the harness's own, its source where it is anybody else's.

The source counts as what it says, without comments and formatting. Nothing is imported to find this out.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import weakref
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from harness.core.digest import file_checksum
from harness.core.errors import PluginError
from harness.registry import modules
from harness.registry.modules import FileState, by_state, code_file, imported_modules, state_of, until_forgotten

PLUGIN_FILES: Final = "harness_plugin_"
"""How the names of the packages begin that plugin files are loaded into."""

_WITHOUT_EFFECT: Final = frozenset(
    {
        "harness",
        "harness.registry.composition",
        "harness.core.errors",
        "harness.core.lazy",
        "harness.core.cost",
        "harness.core.progress",
        "harness.registry",
        "harness.registry.modules",
        "harness.registry.source",
    }
)
"""Modules used for errors, costs, registration and these digests only: they cannot change a result."""
_TYPES: Final = "harness.plugin_api"
"""The package that holds types only."""
_VERSION: Final = "RESULT_VERSION"

_loaded: dict[str, tuple[weakref.ref[ModuleType], str]] = {}
"""Foreign modules of this process: the module, and the digest of its source when it was first seen."""


@until_forgotten
def source_digest(*roots: str) -> str:
    """SHA-256 of the exact code behind modules, as 64 hex: what they import, the harness's own code included."""
    return _digest(roots, [*_foreign(roots), *(_labelled(name, roots) for name in sorted(_own_closure(roots)))])


@until_forgotten
def foreign_digest(*roots: str) -> str:
    """SHA-256 of what identifies code that is not the harness's own, as 64 hex.

    Everything that it imports counts: by its source wherever it lies; what is installed by name and version; packages
    of the harness by their result version. Python itself does not count.

    Raises:
        PluginError: a module changed after it was loaded, so that what would run is not what its file says.
    """
    if changed := changed_since_loaded(roots):
        raise PluginError(
            f"the source of {', '.join(changed)} changed after it was loaded",
            fix="start Python (the notebook's kernel) again",
        )
    return _digest(roots, _foreign(roots))


@cache
def warm() -> None:
    """Read the harness, the built-in methods and the list of what is installed.

    Processes that fork from this one find all of it remembered when they load a plugin.
    """
    modules.distributions_by_package()
    for package in sorted(modules.built_in_packages()):
        path = code_file(package)
        for file in sorted(path.parent.rglob("*.py")) if path is not None else ():
            parts = file.relative_to(path.parent.parent).with_suffix("").parts if path is not None else ()
            name = ".".join(parts).removesuffix(".__init__")
            if code_file(name) is not None:
                imported_modules(name)
                _own_digest(name)


def remember(*roots: str) -> None:
    """Read what the digests of these modules, and those of plugins that import ``harness``, are made from.

    Processes that fork from this one find it remembered.
    """
    modules.distributions_by_package()
    for name in _own_closure(["harness", *roots]):
        imported_modules(name)
    for root in roots:
        source_digest(root)


def libraries(module: str, roots: frozenset[str]) -> set[str]:
    """Modules of the packages ``roots`` that a module, and what its source digest covers, imports anywhere.

    Imports inside functions count: they are what a process that is to fork should have done beforehand.
    """
    covered = _own_closure([module]) | foreign_modules([module])
    return {
        name
        for part in covered
        for name in imported_modules(part)
        if name.partition(".")[0] in roots and code_file(name) is not None
    }


def summary(module: str, attribute: str) -> str:
    """First line of the docstring of a class or function, read without importing its module."""
    path = code_file(module)
    return modules.first_line_of_docstring(path, attribute) if path else ""


def foreign_modules(roots: Iterable[str]) -> set[str]:
    """Modules that count by their source, and are not the harness's own."""
    return _closure(roots, lambda name: not _is_own(name) and modules.distribution_of(name) is None)


def foreign_files(roots: Iterable[str]) -> dict[str, Path]:
    """The files of ``foreign_modules``, by where they lie relative to each other: ``mine.py``, ``package/part.py``."""
    files = {}
    for module in foreign_modules(roots):
        if (path := code_file(module)) is not None:
            name = module.partition(".")[2] if module.startswith(PLUGIN_FILES) else module
            place = name.replace(".", "/")
            package = path.stem == "__init__"
            files[f"{place}/{path.name}" if package else str(Path(place).with_name(path.name))] = path
    return files


def changed_since_loaded(roots: Iterable[str]) -> list[str]:
    """Foreign modules behind ``roots`` that are loaded, and whose file has changed since."""
    changed = []
    for name in sorted(foreign_modules(roots)):
        module = sys.modules.get(name)
        if module is None:
            continue
        now, (seen, then) = _own_digest(name), _loaded.get(name, (None, ""))
        if seen is not None and seen() is module:
            changed += [name] if then != now else []
        else:
            _loaded[name] = (weakref.ref(module), now)
    return changed


def _digest(roots: Iterable[str], lines: Iterable[str]) -> str:
    return hashlib.sha256("\0".join([*(_label(root, roots) for root in roots), *lines]).encode()).hexdigest()


def _foreign(roots: Iterable[str]) -> list[str]:
    """Sources, distributions and result versions behind foreign code, one line each, in a fixed order."""
    closure = foreign_modules(roots)
    sources = [_labelled(name, roots) for name in closure]
    imported = {name for part in closure for name in imported_modules(part)} | {*roots}
    installed = {found for name in imported if not _is_own(name) and (found := _installed(name))}
    own = {name for name in imported if modules.is_built_in(name)}
    # Helpers among the built-in methods declare no version: who builds on them counts their source.
    helpers = _own_closure(name for name in own if not name.startswith("harness."))
    versions = {line for name in own if (line := _declared(name))}
    parts = (sources, installed, versions, (_labelled(name, roots) for name in helpers if not _is_harness(name)))
    return [line for part in parts for line in sorted(part)]


def _own_closure(roots: Iterable[str]) -> set[str]:
    """Modules of the harness and the built-in methods that can change a result."""
    start = list(roots)
    return _closure(start, lambda name: modules.is_built_in(name) and (name in start or not _is_without_effect(name)))


def _closure(roots: Iterable[str], counts: Callable[[str], bool]) -> set[str]:
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found or not counts(name) or code_file(name) is None:
            continue
        found.add(name)
        waiting += imported_modules(name)
    return found


def _is_own(name: str) -> bool:
    """Whether a module is neither foreign source nor a distribution that counts."""
    return modules.is_standard(name) or modules.is_built_in(name)


def _is_harness(name: str) -> bool:
    return name.partition(".")[0] == "harness"


def _is_without_effect(name: str) -> bool:
    return name in _WITHOUT_EFFECT or f"{name}.".startswith(f"{_TYPES}.")


def _installed(name: str) -> str | None:
    return modules.distribution_of(name) if code_file(name) is not None else None


def _declared(name: str) -> str:
    """``harness.search 1``: the result version that a package of the harness declares; empty where it has none."""
    package = ".".join(name.split(".")[:2])
    path = code_file(package) if _is_harness(name) and "." in name else None
    version = _constant(state_of(path), _VERSION) if path else None
    return f"{package} {version}" if version is not None else ""


@by_state
def _constant(state: FileState, name: str) -> object:
    for node in modules.tree_of(Path(state.path)).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant):
            if isinstance(node.target, ast.Name) and node.target.id == name:
                return node.value.value
    return None


def _labelled(name: str, roots: Iterable[str]) -> str:
    return f"{_label(name, roots)}\0{_own_digest(name)}"


def _label(name: str, roots: Iterable[str]) -> str:
    """The name of a module; where a plugin file lies is no part of what it does, and neither is what it is called."""
    if not name.startswith(PLUGIN_FILES):
        return name
    return "" if name in roots else name.partition(".")[2]


def _own_digest(module: str) -> str:
    path = code_file(module)
    return "" if path is None else _digest_of_file(state_of(path))


@by_state
def _digest_of_file(state: FileState) -> str:
    path = Path(state.path)
    if path.suffix != ".py":
        return file_checksum(path)
    return hashlib.sha256(meaning(modules.tree_of(path)).encode()).hexdigest()


def meaning(tree: ast.AST) -> str:
    """Source as what it says, without comments, formatting and docstrings; the tree is changed."""
    for node in ast.walk(tree):
        _drop_docstring(node)
    return ast.unparse(tree)


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        node.body = [statement for statement in node.body if not _is_string(statement)] or [ast.Pass()]


def _is_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
