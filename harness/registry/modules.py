"""Where the code of a module is, whose it is, and what it imports; found out without importing anything.

Code is of three kinds: the standard library's, an installed distribution's (known by name and version), and source,
which is everything else: plugin files, modules beside them, editable installs, whatever lies on the path.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, wraps
from pathlib import Path
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar

from harness.core.parsing import unraced

HARNESS: Final = "vision-evaluation-harness"
"""The distribution of the harness and the built-in methods."""

_SITE: Final = ("site-packages", "dist-packages")
_COMPILED: Final = tuple(importlib.machinery.EXTENSION_SUFFIXES)


_SETTLED_NS: Final = 2_000_000_000
_remembered: list[Any] = []
P = ParamSpec("P")
T = TypeVar("T")


class FileState(NamedTuple):
    """What tells one content of a file from another without reading it."""

    path: str
    size: int
    modified_ns: int
    changed_ns: int
    inode: int


def state_of(path: Path) -> FileState:
    """The state of a file now. Raises ``OSError``."""
    stat = path.stat()
    return FileState(str(path.absolute()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def until_forgotten(function: Callable[P, T]) -> Callable[P, T]:
    """Remember what a function of files finds, until ``forget``."""
    remembered = cache(function)
    _remembered.append(remembered)
    return remembered  # type: ignore[return-value]  # cache forgets which arguments a function takes


def by_state(function: Callable[Concatenate[FileState, P], T]) -> Callable[Concatenate[FileState, P], T]:
    """Remember what a function finds in a file as long as the file is as it was.

    Younger files are read each time: they could change again within one tick of the file system's clock.
    """
    found: dict[Any, T] = {}

    @wraps(function)
    def remembering(state: FileState, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (state, args)
        if key not in found:
            value = function(state, *args, **kwargs)
            if not is_settled(state):
                return value
            found[key] = value
        return found[key]

    return remembering


def is_settled(state: FileState) -> bool:
    """Whether a file is old enough for its state to tell whether it has changed."""
    return time.time_ns() - max(state.modified_ns, state.changed_ns) > _SETTLED_NS


def forget() -> None:
    """Look at all files again: they may have changed since."""
    importlib.invalidate_caches()
    for function in _remembered:
        function.cache_clear()


@cache
def built_in_packages() -> frozenset[str]:
    """Top-level packages of this distribution: the harness, and the built-in methods as its metadata names them."""
    try:
        points = importlib.metadata.distribution(HARNESS).entry_points
    except importlib.metadata.PackageNotFoundError:
        return frozenset({"harness"})
    return frozenset({"harness", *(point.module.partition(".")[0] for point in points if point.group == "harness")})


def is_built_in(module: str) -> bool:
    """Whether a module is part of the harness or of the built-in methods."""
    return module.partition(".")[0] in built_in_packages()


def is_standard(module: str) -> bool:
    """Whether a module is part of Python."""
    return module.partition(".")[0] in sys.stdlib_module_names


@until_forgotten
def code_file(module: str) -> Path | None:
    """The file of a module, Python or compiled; None for a name that is no module, or a package without a file."""
    origin = _located(module)[0]
    return Path(origin) if origin and origin.endswith((".py", *_COMPILED)) else None


@until_forgotten
def distribution_of(module: str) -> str | None:
    """``name==version`` of the installed distribution that holds a module; None where it counts by its source.

    What is installed in editable form counts by its source, as its files change without a new version.
    """
    path = code_file(module)
    if path is None:
        return None
    for name in _candidates(module.partition(".")[0]):
        try:
            distribution = importlib.metadata.distribution(name)
        except (importlib.metadata.PackageNotFoundError, ValueError):
            continue
        if _holds(distribution, path):
            return f"{distribution.name}=={distribution.version}"
    return None


def _candidates(package: str) -> Iterator[str]:
    """Names of distributions that may hold a package; mostly its own, which needs no list of what is installed."""
    yield package
    yield from distributions_by_package().get(package, ())


def imported_modules(module: str) -> tuple[str, ...]:
    """Names that a module imports anywhere in it, functions included, each with its parent packages.

    Names that are no modules (``from a import f`` gives ``a.f`` too) are among them; ``code_file`` tells.
    """
    path = code_file(module)
    if path is None or path.suffix != ".py":
        return ()
    names = _names(state_of(path), module, path.name == "__init__.py")
    return tuple(dict.fromkeys(part for name in names for part in _with_parents(name)))


def tree_of(path: Path) -> ast.Module:
    """The parsed content of a file; a fresh tree, which callers may change."""
    return unraced(lambda: ast.parse(path.read_bytes()))


@by_state
def _names(state: FileState, module: str, is_package: bool) -> tuple[str, ...]:
    package = module if is_package else module.rpartition(".")[0]
    return tuple(name for node in ast.walk(tree_of(Path(state.path))) for name in _imported(node, package) if name)


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *([base] if base else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            yield node.args[0].value.lstrip(".")


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))


@until_forgotten
def _located(module: str) -> tuple[str | None, tuple[str, ...]]:
    """The file of a module, and the folders in which its submodules are."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        return getattr(loaded, "__file__", None), tuple(getattr(loaded, "__path__", ()))
    parent = module.rpartition(".")[0]
    try:
        if not parent:
            spec = importlib.util.find_spec(module)
        else:
            # importlib would import the parent package to look inside it: look where it lies instead.
            within = list(_located(parent)[1])
            spec = importlib.machinery.PathFinder.find_spec(module, within) if within else None
    except (ImportError, ValueError, AttributeError, KeyError):  # KeyError: a folder without __init__.py, not loaded
        return None, ()
    if spec is None:
        return None, ()
    return (spec.origin if spec.has_location else None), tuple(spec.submodule_search_locations or ())


@cache
def distributions_by_package() -> dict[str, list[str]]:
    """Top-level package -> distributions that have it, from the metadata of all that is installed."""
    return {name: list(dict.fromkeys(found)) for name, found in importlib.metadata.packages_distributions().items()}


def _holds(distribution: importlib.metadata.Distribution, path: Path) -> bool:
    """Whether a file was installed with a distribution, not in editable form."""
    base = Path(str(distribution.locate_file(""))).resolve()
    if not path.resolve().is_relative_to(base):
        return False
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return False
    if base.name in _SITE:
        return True
    # Metadata beside sources on the path, as a checkout has them, do not make these an installed distribution.
    return distribution.read_text("RECORD") is not None


def first_line_of_docstring(path: Path, attribute: str) -> str:
    """First line of the docstring of a class or function in a file.

    Found by its text: parsing every module would take a third of the time of ``harness methods``.
    """
    text = path.read_text(encoding="utf-8")
    match = re.search(
        rf'^(?:class|def) {re.escape(attribute)}\b[^"]*?:\n\s+[rR]?"""(.*?)(?:\n|""")', text, re.MULTILINE
    )
    return match[1].strip() if match else ""
