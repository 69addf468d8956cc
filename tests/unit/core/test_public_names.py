"""What ``harness`` offers by name, and the import paths of before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness

PUBLIC = {
    *("Record", "Registry", "active", "compare", "data_folders", "find_results", "graph", "hookimpl", "leaderboard"),
    *("load_registry", "metrics", "plugin_api", "run", "to_pandas", "write_page"),
}


def python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True)


def test_dir_lists_the_public_names_and_each_is_there():
    assert set(dir(harness)) == PUBLIC | {"__version__"}
    assert set(harness.__all__) == PUBLIC
    done = python("import harness; print(dir(harness)); [getattr(harness, name) for name in dir(harness)]")
    assert done.returncode == 0, done.stderr
    done = python(
        "import harness.runs.runner, harness; from harness import *; print(run.__name__, active.Pool.__name__)"
    )
    assert done.stdout.split() == ["run", "Pool"], done.stderr


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'harness' has no attribute 'no_such_name'"):
        _ = harness.no_such_name


@pytest.mark.parametrize(
    ("old", "name", "new"),
    [
        ("harness.protocols", "Ranking", "harness.plugin_api"),
        ("harness.protocols", "PROTOCOL_VERSION", "harness.plugin_api"),
        ("harness.errors", "InvalidInput", "harness.core.errors"),
        ("harness.hooks", "hookimpl", "harness.plugin_api"),
        ("harness.hooks", "ReporterHooks", "harness.plugin_api"),
        ("harness.parameters", "resolved", "harness.registry.parameters"),
    ],
)
def test_old_paths_work_and_warn_once(old, name, new):
    code = f"from {old} import {name}\nimport {old}\nimport harness; {old}.{name}"
    done = python(code, "-W", "default")
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if "DeprecationWarning" in line]
    assert warning == f"<string>:1: DeprecationWarning: {old} is now {new}"


def test_an_old_path_is_found_as_an_attribute_but_not_listed():
    done = python("import harness; print(harness.protocols.KINDS[0], 'protocols' in dir(harness))", "-W", "ignore")
    assert done.stdout.split() == ["acquisition", "False"], done.stderr


def test_other_old_names_are_where_they_were():
    from harness.cache import Cache
    from harness.plugin_api import Registrar as registrar
    from harness.registry import Registrar

    assert Registrar is registrar
    assert Cache(None).root is None


def test_at_most_three_modules_stand_at_the_top(root):
    assert len([*(root / "harness").glob("*.py")]) <= 3
