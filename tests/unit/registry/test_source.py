from __future__ import annotations

import sys
import textwrap

import pytest

from harness.registry import modules
from harness.registry.source import source_digest, summary


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules: ``a`` uses ``b``, ``c`` is used by neither. Returns a function that digests ``a``."""
    folder = tmp_path / "pkg_of_digests"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def digest(a: str = "", b: str = "x = 1", c: str = "") -> str:
        for name, text in {"a": "from pkg_of_digests import b\n" + a, "b": b, "c": c}.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text))
        modules.forget()
        return source_digest("pkg_of_digests.a")

    yield digest
    assert "pkg_of_digests.a" not in sys.modules, "digesting must not import"


def test_comments_docstrings_and_formatting_do_not_count(package):
    assert package("def f(x):\n    return x+1") == package('def f(x):\n    """Doc."""\n    # why\n    return (x + 1)')


def test_code_counts_also_in_what_it_imports_but_not_beside(package):
    base = package("y = 1")
    assert package("y = 2") != base
    assert package("y = 1", b="x = 2") != base
    assert package("y = 1", c="z = 9") == base


def test_relative_imports_and_cycles(package):
    first = package("from . import c", b="from .a import y", c="z = 1")
    assert first != package("from . import c", b="from .a import y", c="z = 2")


def test_summary_is_read_without_importing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "never_imported.py").write_text(
        'class Mean(object):\n    """Mean of each map.\n\n    More."""\nraise 1\n'
    )
    assert summary("never_imported", "Mean") == "Mean of each map."
    assert "never_imported" not in sys.modules
    assert summary("harness_pooling.gem", "NoSuchClass") == ""
    assert summary("no_such_package.module", "X") == ""


def test_what_is_installed_is_listed_only_for_packages_that_are_not_named_like_their_distribution(monkeypatch):
    listed = []
    monkeypatch.setattr(modules, "distributions_by_package", lambda: listed.append(1) or {"yaml": ["PyYAML"]})
    modules.forget()
    assert modules.distribution_of("pluggy").startswith("pluggy==")
    assert not listed
    assert modules.distribution_of("yaml").lower().startswith("pyyaml==")
    assert listed
    modules.forget()
