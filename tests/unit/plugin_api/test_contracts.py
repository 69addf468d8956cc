"""The import rules of ``pyproject.toml`` name every module that plugins may not use."""

from __future__ import annotations

import tomllib

ALLOWED = {"plugin_api", "core.errors", "search", "graph", "metrics", "data", "cache", "active.training"}


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
