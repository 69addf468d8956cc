from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from harness.core.errors import Errors, NameTaken, PluginError, UnknownName
from harness.plugin_api import KINDS
from harness.registry import load_registry

MEDIAN = """
from dataclasses import dataclass
from typing import Annotated
from annotated_types import Gt
from harness import hookimpl

@dataclass(frozen=True)
class Median:
    '''Median pooling.'''
    q: Annotated[float, Gt(0)] = 0.5
    sizes: tuple[int, ...] = (1, 2)
    def pool(self, maps):
        return maps.flatten(-2).quantile(self.q, -1)

@hookimpl
def harness_register(registry):
    registry.pooling("NAME", Median)
"""


def plugin(folder: Path, name: str, text: str = MEDIAN, file: str = "mine.py") -> str:
    path = folder / file
    path.write_text(textwrap.dedent(text).replace("NAME", name))
    return str(path)


def test_built_in_methods_are_found_through_entry_points():
    registry = load_registry()
    assert not registry.broken
    assert {"spoc", "mac", "gem"} <= set(registry.names("pooling"))
    assert {"random", "entropy", "coreset"} <= set(registry.names("acquisition"))
    assert registry.entry("pooling", "gem").origin.plugin == "vision-evaluation-harness"


def test_every_registered_method_loads_and_has_documentation():
    registry = load_registry()
    for kind in KINDS:
        for name in registry.names(kind):
            entry = registry.entry(kind, name)
            assert entry.load().__doc__, f"{kind} {name}"
            assert entry.summary, f"{kind} {name}"


def test_a_file_registers_a_method_with_its_parameters(tmp_path):
    registry = load_registry([plugin(tmp_path, "median")])
    assert registry.create("pooling", "median", q=0.25).q == 0.25
    identity = registry.identify("pooling", "median", registry.create("pooling", "median"))
    assert identity.parameters == {"q": 0.5, "sizes": [1, 2]}
    assert identity.origin == "file mine.py"


def test_two_plugins_with_one_name_are_both_named(tmp_path):
    with pytest.raises(NameTaken) as caught:
        load_registry([plugin(tmp_path, "gem")])
    assert "vision-evaluation-harness" in str(caught.value)
    assert "mine.py" in str(caught.value)


def test_a_conflict_leaves_nothing_half_registered(tmp_path):
    text = MEDIAN + '    registry.pooling("gem", Median)\n'
    registry = load_registry()
    with pytest.raises(NameTaken):
        registry.load(plugin(tmp_path, "median", text))
    assert "median" not in registry.names("pooling")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"q": -1.0}, ["q = -1.0", "greater than 0"]),
        ({"q": "half"}, ["q = 'half'", "number"]),
        ({"q": True}, ["q = True"]),
        ({"sizes": ["a"]}, ["sizes", "integer"]),
        ({"r": 1}, ['no parameter "r"', "known: q, sizes"]),
        ({"quantil": 1}, ['no parameter "quantil"']),
        ({"q": object()}, ["q = ", "plain"]),
    ],
)
def test_bad_parameters_say_method_field_value_and_remedy(tmp_path, given, words):
    registry = load_registry([plugin(tmp_path, "median")])
    with pytest.raises(Errors) as caught:
        registry.create("pooling", "median", **given)
    for word in ['pooling "median"', *words]:
        assert word in str(caught.value)


def test_several_bad_parameters_are_reported_together(tmp_path):
    registry = load_registry([plugin(tmp_path, "median")])
    with pytest.raises(Errors) as caught:
        registry.create("pooling", "median", q=-1, sizes="no")
    assert len(caught.value.errors) == 2


def test_lists_become_tuples_and_integers_become_floats(tmp_path):
    method = load_registry([plugin(tmp_path, "median")]).create("pooling", "median", q=1, sizes=[3, 4])
    assert method.q == 1.0
    assert method.sizes == (3, 4)


def test_the_nearest_name_is_suggested():
    registry = load_registry()
    with pytest.raises(UnknownName, match='unknown pooling "gemm"') as caught:
        registry.entry("pooling", "gemm")
    assert 'did you mean "gem"?' in str(caught.value)
    with pytest.raises(UnknownName, match='"egt" is of kind expansion .harness methods acquisition lists all'):
        registry.entry("acquisition", "egt")
    with pytest.raises(UnknownName, match="fix: harness methods pooling lists all; --plugin FILE"):
        registry.entry("pooling", "zzz")
    with pytest.raises(UnknownName, match='unknown kind "poolings"'):
        registry.names("poolings")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise RuntimeError('no licence')", ["RuntimeError: no licence", "mine.py:1"]),
        ("import sys; sys.exit(3)", ["SystemExit"]),
        ("x = (", ["SyntaxError"]),
        ("x = 1", ["harness_register"]),
        ("from harness import hookimpl\n@hookimpl\ndef harness_register(registri): pass", ["registri"]),
    ],
)
def test_a_named_plugin_that_fails_is_an_error(tmp_path, text, words):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # pluggy has its own error for a wrong signature
        load_registry([plugin(tmp_path, "x", text)])
    assert isinstance(caught.value, PluginError), caught.value
    for word in words:
        assert word in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PluginError, match="no plugin file"):
        load_registry([str(tmp_path / "gone.py")])


def test_a_module_name_is_a_plugin_too(tmp_path, monkeypatch):
    plugin(tmp_path, "median-by-module", file="my_median_module.py")
    monkeypatch.syspath_prepend(tmp_path)
    registry = load_registry(["my_median_module"])
    assert registry.entry("pooling", "median-by-module").origin.source == "module my_median_module"


def broken_distribution(folder: Path, name: str, code: str) -> None:
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[harness]\nx = {module}\n")


@pytest.mark.parametrize("code", ["raise ImportError('libfoo is missing')", "import sys; sys.exit(1)", "x = 1"])
def test_a_broken_installed_plugin_is_left_out_and_named(tmp_path, monkeypatch, code):
    broken_distribution(tmp_path, "broken-dist", code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "broken_dist", raising=False)
    registry = load_registry()
    (broken,) = registry.broken
    assert broken.name == "broken-dist"
    assert "\n" not in str(broken)
    assert "gem" in registry.names("pooling")
    with pytest.raises(PluginError, match="broken-dist"):
        load_registry(strict=True)


@pytest.mark.parametrize("names", [("kind", "name"), ("self", "given"), ("label", "method")])
def test_a_parameter_may_have_any_name(tmp_path, names):
    first, second = names
    fields = f"{first}: str = 'a'\n    {second}: str = 'b'"
    text = MEDIAN.replace("q: Annotated[float, Gt(0)] = 0.5", fields).replace("self.q", "0.5")
    registry = load_registry([plugin(tmp_path, "named", text.replace("def pool(self", "def pool(this"))])
    method = registry.create("pooling", "named", **{first: "c", second: "d"})
    assert (getattr(method, first), getattr(method, second)) == ("c", "d")
    assert registry.identify("pooling", "named", method).parameters[first] == "c"
