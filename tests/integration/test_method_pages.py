"""Every built-in method is documented: formula, source, the meaning of each parameter, a page that says so."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys

import pytest

from harness.registry import load_registry
from harness.registry.parameters import describe


@pytest.fixture
def pages(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools" / "site"))
    return importlib.import_module("method_pages")


def test_every_method_says_its_formula_and_its_source(pages):
    found = [(entry, pages.documentation(entry.load())) for entry in pages.entries() if entry.kind != "dataset"]
    assert len(found) > 30
    assert [f"{entry.kind} {entry.name}" for entry, doc in found if not doc.formula] == []
    assert [f"{entry.kind} {entry.name}" for entry, doc in found if not doc.source] == []


def test_every_parameter_is_explained(pages):
    for entry in pages.entries():
        method = entry.load()
        known = {name for c in method.__mro__ for name in pages.documentation(c).parameters}
        assert {row.name for row in describe(method)} <= known, f"{entry.kind} {entry.name}"


def test_a_page_holds_what_the_registry_knows(pages, root):
    entry = load_registry().entry("pooling", "gem")
    text = "\n".join(pages._page(entry, root, None))
    assert "sum_hw x_chw^p" in text
    assert "Source: Radenovic et al. 2018" in text
    assert re.search(r"\| `p` \| `Annotated\[float, Gt\(0\)\]` \| `3.0` \| exponent; ", text)
    assert re.search(r"\| \[first-look\]\(\S*\) \| gem \| ", text)
    assert "methods: {pooling: gem}" in text


def test_products_are_no_tags(pages):
    assert pages._escaped("of <g, h>, `a < b` and x < 1") == "of &lt;g, h>, `a < b` and x &lt; 1"


@pytest.mark.parametrize("name", ["random", "coreset", "jlp"])
def test_a_picture_is_drawn_once(pages, tmp_path, name):
    pictures = importlib.import_module("method_pictures")
    entry = load_registry().entry("acquisition", name)
    first = pictures.picture(entry, tmp_path)
    assert first.png.startswith(b"\x89PNG")
    files = sorted(tmp_path.iterdir())
    assert pictures.picture(entry, tmp_path) == first
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(root, tmp_path):
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"^(WARNING|ERROR)", done.stderr, re.MULTILINE)
    page = (tmp_path / "site" / "methods" / "pooling" / "gem.html").read_text()
    assert "gem.png" in page
    loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?:[^\"]+)\"", page)
    assert loaded == [], "the site loads nothing from elsewhere"
