"""The site as it is built: no warning, no broken link, nothing cut off, each search finds its page first."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

PAGES = (
    "index.html",
    "start/quickstart.html",
    "methods/pooling/os-egm.html",
    "methods/acquisition/jlp.html",
    "dsm.html",
    "leaderboards/photographs/index.html",
    "reference/spec.html",
)


@pytest.fixture
def tool(root, monkeypatch):
    """A module of the site's own code, by name."""
    monkeypatch.syspath_prepend(str(root / "tools" / "site"))
    return importlib.import_module


@pytest.fixture(scope="module")
def site(request, tmp_path_factory):
    pytest.importorskip("material")
    folder = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=request.config.rootpath, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"^(WARNING|ERROR)", done.stderr, re.MULTILINE)
    return folder


@pytest.fixture
def window(tool):
    try:
        found = tool("check_pages").browser()
    except (ImportError, RuntimeError) as error:
        pytest.skip(str(error))
    yield found
    found.quit()


@pytest.mark.parametrize(
    ("page", "link", "target"),
    [
        ("index.md", "../plugins", "methods/index.md"),
        ("start/a.md", "../../plugins/harness_pooling/gem.py", "../methods/pooling/gem.md"),
        ("start/a.md", "../../plugins/harness_pooling/gem.py#parameters", "../methods/pooling/gem.md#parameters"),
        ("how-to/a.md", "../../plugins/harness_reranking/dsm/reranker.py", "../methods/reranking/dsm.md"),
        ("index.md", "../leaderboards/covers/README.md", "leaderboards/covers/README.md"),
        ("project/faq.md", "../../leaderboards/performance/README.md", "performance.md"),
        ("conformance.md", "../harness/conformance/rules#b1", "reference/rules.md#b1"),
        ("how-to/a.md", "../scale.md#memory", "../scale.md#memory"),
        ("index.md", "../setup.py", "../setup.py"),
        ("index.md", "https://a.org/../plugins", "https://a.org/../plugins"),
    ],
)
def test_a_link_to_a_source_is_one_to_the_page_made_from_it(tool, page, link, target):
    assert tool("sources").linked(f"See [this]({link}).", page) == f"See [this]({target})."


def test_a_file_of_several_methods_needs_the_name_of_one(tool, monkeypatch):
    sources, entry = tool("sources"), SimpleNamespace
    two = [entry(kind="pooling", name=name, target=f"harness_pooling.two:{name}") for name in ("one", "other")]
    monkeypatch.setattr(tool("method_pages"), "entries", lambda: two)
    sources._methods.cache_clear()
    try:
        assert sources.page_of("plugins/harness_pooling/two.py", "#other") == "methods/pooling/other.md"
        assert sources.page_of("plugins/harness_pooling/two.py") is None
    finally:
        sources._methods.cache_clear()


def test_pages_are_made_from_files_that_are_there(tool, root):
    for file, page in tool("sources")._PAGES.items():
        assert (root / file).exists(), f"{page} is made from {file}"


def test_a_link_to_no_file_or_no_place_is_broken(tool, tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">1</a><a href="b.html#there">2</a><a href="c.html">3</a>')
    (tmp_path / "b.html").write_text(
        '<p id="here"><a href="https://elsewhere.example/x">4</a><a href="#here">5</a></p>'
    )
    assert list(tool("check_links").broken(tmp_path)) == [("a.html", "b.html#there"), ("a.html", "c.html")]


def test_pages_that_moved_lead_on(tool, root, tmp_path):
    hooks = tool("hooks")
    hooks.on_post_build(SimpleNamespace(site_dir=str(tmp_path)))
    for old, new in hooks.MOVED.items():
        (target,) = re.findall(r'href="([^"]+)"', (tmp_path / old).read_text())
        page = (root / "docs" / old).parent.joinpath(target).resolve()
        assert page == root / "docs" / new
        assert page.with_suffix(".md").is_file() or new.startswith("reference/commands/"), "written, or made"
        assert not (root / "docs" / old).with_suffix(".md").exists()


def test_a_board_is_drawn_by_the_templates_of_the_page(tool, root):
    text = tool("board_page").text(root / "leaderboards" / "first-look")
    assert '<svg class="whisker" viewBox=' in text
    assert re.search(r'<td class="quality"><b>[\d.]+</b>', text)


@pytest.mark.slow
def test_the_site_is_built_whole(site):
    page = (site / "methods" / "pooling" / "gem.html").read_text()
    assert "gem.png" in page
    loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?:[^\"]+)\"", page)
    assert loaded == [], "the site loads nothing from elsewhere"


@pytest.mark.slow
def test_no_link_of_the_site_is_broken(site, tool):
    assert list(tool("check_links").broken(site)) == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_of_a_page_is_cut_off(site, tool, window, width):
    assert [page for page in PAGES if not (site / page).is_file()] == []
    assert list(tool("check_pages").cut(window, site, PAGES, width)) == []


@pytest.mark.slow
def test_each_search_finds_its_page_first_without_a_server(site, tool, window):
    check = tool("check_pages")
    assert {words: check.first_found(window, site, words) for words in check.SEARCHES} == check.SEARCHES
