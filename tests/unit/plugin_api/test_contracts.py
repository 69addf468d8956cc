"""The import rules of ``pyproject.toml`` name every module that plugins may not use."""

from __future__ import annotations

import tomllib

import grimp
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

ALLOWED = {
    "plugin_api",
    "core.errors",
    "core.generators",
    "search",
    "graph",
    "metrics",
    "data",
    "cache",
    "active.training",
}


def contract(root, name):
    with (root / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (found,) = [contract for contract in contracts if contract["name"] == name]
    return found["forbidden_modules"]


def modules(folder, *without):
    names = {path.stem if path.is_file() else path.name for path in folder.iterdir() if path.name[0] not in "."}
    return names - {"__init__", "__pycache__", *without}


def test_plugins_may_import_what_is_public_and_nothing_else(root):
    parts = {
        f"{package}.{name}" for package in ("core", "active") for name in modules(root / "harness" / package)
    } | modules(root / "harness", "core", "active", "py", "datasets")
    forbidden = {name.removeprefix("harness.") for name in contract(root, "Plugins use public packages only")}
    assert forbidden == parts - ALLOWED


def test_the_plugin_api_uses_errors_only(root):
    names = contract(root, "The plugin API uses nothing of the harness but its errors")
    assert set(names) == {f"harness.core.{name}" for name in modules(root / "harness" / "core", "errors")}


def test_no_modules_import_one_another_in_a_circle(root):
    plugins = [path.name for path in (root / "plugins").iterdir() if (path / "__init__.py").is_file()]
    graph = grimp.build_graph("harness", *plugins, cache_dir=None)
    modules = sorted(graph.modules)
    position = {name: i for i, name in enumerate(modules)}
    edges = [
        (position[name], position[imported])
        for name in modules
        for imported in graph.find_modules_directly_imported_by(name)
        if not imported.startswith(f"{name}.")  # a package offers names of its own modules, loaded on first use
    ]
    rows, columns = np.array(edges).T
    matrix = csr_array((np.ones(len(edges)), (rows, columns)), shape=(len(modules), len(modules)))
    _, circle_of = connected_components(matrix, directed=True, connection="strong")
    together = [
        [modules[i] for i in np.flatnonzero(circle_of == c)] for c in np.flatnonzero(np.bincount(circle_of) > 1)
    ]
    assert together == []
