"""Code that is not the harness's own counts by its source wherever it lies, and a plugin file imports what it likes."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import textwrap
import uuid
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import PluginError
from harness.registry import load_registry, modules
from harness.registry.composition import source_of

POOLING = """
from dataclasses import dataclass
import harness
{imports}

@dataclass(frozen=True)
class Mine:
    "Mean."
    def pool(self, maps):
        {inside}
        return maps.mean(axis=(-2, -1)) * {factor}

@harness.hookimpl
def harness_register(registry):
    registry.pooling("mine", Mine)
"""


@pytest.fixture(autouse=True)
def path(monkeypatch):
    """What plugins add to the path, and load, goes with the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    loaded = set(sys.modules)
    yield sys.path
    for name in [name for name in set(sys.modules) - loaded if name.startswith(("test_only_", "harness_plugin_"))]:
        del sys.modules[name]
    modules.forget()


@pytest.fixture
def name():
    """A name of a module that no other test uses."""
    return f"test_only_{uuid.uuid4().hex[:12]}"


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return folder


def plugin(folder: Path, imports: str = "", inside: str = "pass", factor: str = "1") -> Path:
    write(folder, plugin=POOLING.format(imports=imports, inside=inside, factor=factor))
    return folder / "plugin.py"


def method_of(file: Path | str):
    registry = load_registry([str(file)])
    instance = registry.create("pooling", "mine")
    return registry.identify("pooling", "mine", instance), instance


def digest(file: Path | str) -> str:
    return method_of(file)[0].digest


def factor_of(file: Path | str) -> float:
    return float(method_of(file)[1].pool(np.ones((1, 2, 2)))[0])


STYLES = [
    ("import {name}", "pass", "{name}.factor"),
    ("from {name} import factor", "pass", "factor"),
    ("from . import {name}", "pass", "{name}.factor"),
    ("from .{name} import factor", "pass", "factor"),
    ("", "from .{name} import factor", "factor"),
    ("", "import {name}", "{name}.factor"),
    ("import importlib", 'm = importlib.import_module("{name}")', "m.factor"),
]


@pytest.mark.parametrize("style", STYLES, ids=lambda style: (style[0] or style[1]).format(name="sibling"))
def test_a_module_beside_a_plugin_file_works_and_counts(tmp_path, name, style):
    file = plugin(tmp_path, *(part.format(name=name) for part in style))
    write(tmp_path, **{name: "factor = 2"})
    first = digest(file)
    assert factor_of(file) == 2
    assert digest(file) == first
    write(tmp_path, **{name: "factor = 3"})
    assert digest(file) != first
    assert factor_of(file) == 3, "what counts is what runs"


def test_what_a_module_beside_imports_counts_too(tmp_path, name):
    file = plugin(tmp_path, f"from .{name} import factor", factor="factor")
    write(tmp_path, **{name: f"from .{name}_b import factor", f"{name}_b": "factor = 2"})
    first = digest(file)
    write(tmp_path, **{f"{name}_b": "factor = 3"})
    assert digest(file) != first
    assert factor_of(file) == 3


def test_a_module_beside_that_is_not_imported_does_not_count(tmp_path, name):
    file = plugin(tmp_path)
    first = digest(file)
    write(tmp_path, **{name: "factor = 2"})
    assert digest(file) == first


def test_where_a_plugin_file_lies_does_not_count(tmp_path, name):
    found = set()
    for folder in ("a", "b/c"):
        write(tmp_path / folder, **{name: "factor = 2"})
        found.add(digest(plugin(tmp_path / folder, f"from . import {name}", factor=f"{name}.factor")))
    assert len(found) == 1


def test_a_plugin_file_in_a_package_reaches_the_packages_above(tmp_path, name):
    write(tmp_path / name / "sub", __init__="")
    write(tmp_path / name, __init__="", common="factor = 2")
    file = plugin(tmp_path / name / "sub", "from ..common import factor", factor="factor")
    first = digest(file)
    assert factor_of(file) == 2
    write(tmp_path / name, common="factor = 3")
    assert digest(file) != first


def test_namespace_packages_and_folders_on_the_path_count(tmp_path, path, name):
    for folder, part in (("one", "a"), ("two", "b")):
        write(tmp_path / folder / name, **{part: "factor = 2"})
        path.append(str(tmp_path / folder))
    importlib.invalidate_caches()
    file = plugin(tmp_path / "plugin", f"from {name}.a import factor\nimport {name}.b", factor="factor")
    first = digest(file)
    write(tmp_path / "two" / name, b="factor = 3")
    for loaded in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[loaded]
    assert digest(file) != first


def install(folder: Path, name: str, text: str, *, editable: Path | None = None, version: str = "1.0") -> None:
    """A distribution with one module, as pip leaves it in ``folder``."""
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "top_level.txt").write_text(name)
    (metadata / "RECORD").write_text(f"{name}.py,,\n")
    if editable:
        (metadata / "direct_url.json").write_text(
            json.dumps({"url": editable.as_uri(), "dir_info": {"editable": True}})
        )
    write(editable or folder, **{name: text})


def again(file: Path, name: str) -> str:
    """The digest that a new process finds."""
    sys.modules.pop(name, None)
    return digest(file)


def test_what_is_installed_counts_by_name_and_version(tmp_path, path, name):
    site = tmp_path / "site-packages"
    path.append(str(site))
    install(site, name, "factor = 2")
    file = plugin(tmp_path / "plugin", f"from {name} import factor", factor="factor")
    first = again(file, name)
    write(site, **{name: "factor = 3"})
    assert again(file, name) == first
    (site / f"{name}-1.0.dist-info").rename(tmp_path / "gone")
    install(site, name, "factor = 2", version="1.1")
    assert again(file, name) != first


def test_editable_installs_count_by_their_source(tmp_path, path, name):
    site, sources = tmp_path / "site-packages", tmp_path / "src"
    path += [str(site), str(sources)]
    install(site, name, "factor = 2", editable=sources)
    file = plugin(tmp_path / "plugin", f"from {name} import factor", factor="factor")
    first = again(file, name)
    write(sources, **{name: "factor = 3"})
    assert again(file, name) != first


def test_the_harness_counts_by_result_versions(tmp_path, monkeypatch):
    file = plugin(tmp_path, "from harness.search import unit_rows")
    first = digest(file)
    real = modules.tree_of

    def raised(path: Path):
        tree = real(path)
        if path.parts[-2:] == ("search", "__init__.py"):
            for node in tree.body:
                if getattr(getattr(node, "target", None), "id", "") == "RESULT_VERSION":
                    node.value.value += 1
        return tree

    from harness.registry import source

    monkeypatch.setattr(source, "_constant", inspect.unwrap(source._constant))
    monkeypatch.setattr(modules, "tree_of", raised)
    assert digest(file) != first


def test_a_module_that_changed_after_it_was_loaded_is_refused(tmp_path, path, name):
    """A plugin named as a module stays loaded: what its file says now would not be what runs."""
    path.append(str(tmp_path))
    write(tmp_path, **{name: POOLING.format(imports="", inside="pass", factor="1")})
    digest(name)
    write(tmp_path, **{name: POOLING.format(imports="", inside="pass", factor="2")})
    with pytest.raises(PluginError, match="changed after it was loaded"):
        digest(name)


def test_two_plugins_with_modules_of_one_name_are_told_apart(tmp_path, name):
    files = []
    for folder, factor in (("a", 2), ("b", 3)):
        write(tmp_path / folder, **{name: f"factor = {factor}"})
        files.append(plugin(tmp_path / folder, f"import {name}", factor=f"{name}.factor"))
    assert factor_of(files[0]) == 2
    with pytest.raises(PluginError, match=r"(?s)has the same name.*from \. import"):
        load_registry([str(files[1])])


def test_built_in_methods_count_by_their_result_version(monkeypatch):
    registry = load_registry()
    gem = registry.create("pooling", "gem")
    before = registry.identify("pooling", "gem", gem)
    version = getattr(type(gem), "result_version", 1)
    assert before.digest == f"v{version}"
    assert len(source_of(type(gem))) == 16
    monkeypatch.setattr(type(gem), "result_version", version + 1, raising=False)
    after = registry.identify("pooling", "gem", gem)
    assert after.digest == f"v{version + 1}"
    assert after.key != before.key
    assert before.key["version"] == "", "the version of the harness is no part of an identity"
