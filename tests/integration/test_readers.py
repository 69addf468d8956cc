"""What a stranger asks is answered within two clicks from home, and no page takes longer to read than its kind may."""

from __future__ import annotations

import importlib
import posixpath
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"

QUESTIONS = {
    "How do I install it?": (["start/installation.md"], "pip install"),
    "Can I use my photographs?": (["own-dataset.md"], "positives"),
    "Can I use my descriptors?": (["how-to/descriptors.md"], "database.npy"),
    "Is jlp good?": (["methods/index.md", "methods/acquisition/jlp.md"], "quick-active"),
    "What is rank 2-5?": (["leaderboards.md"], "rank interval"),
    "How many seeds?": (["how-to/seeds.md"], "--until-decided"),
    "Do I need a GPU?": (["how-to/gpu.md"], "CUDA"),
    "How do I cite it?": (["project/cite.md"], "@software"),
    "How do I add a method?": (["tutorials/index.md", "tutorials/pooling.md"], "registry.pooling"),
    "How fast is it?": (["project/performance.md"], "make bench"),
}
"""Question -> the pages that are clicked on from home, and words of the answer on the last one."""


@pytest.fixture(scope="module")
def site(request):
    """A module of the site's own code, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(request.config.rootpath / "tools" / "site"))
        yield importlib.import_module


def text(page: str, site) -> str:
    file = DOCS / page
    if file.is_file():
        return site("sources").linked(file.read_text(encoding="utf-8"), page)
    if page == "project/performance.md":
        return site("hooks")._performance()
    pages = site("method_pages")
    if page == "methods/index.md":
        return pages._overview()
    (entry,) = [entry for entry in pages.entries() if pages._path(entry) == page]
    return "\n".join(pages._page(entry, DOCS.parent, None))


def links(page: str, content: str) -> set[str]:
    found = re.findall(r"\]\(([^)#\s]+\.md)", content)
    return {posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) for target in found}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_within_two_clicks_from_home(question, site):
    clicks, answer = QUESTIONS[question]
    assert len(clicks) <= 2
    page = "index.md"
    for target in clicks:
        assert target in links(page, text(page, site)), f"{page} has no link to {target}"
        page = target
    assert answer in text(page, site)


def test_no_page_takes_longer_to_read_than_its_kind_may(site):
    rows = list(site("reading_times").rows())
    assert len(rows) > 40
    assert [f"{page}: {time:.1f} of {most} minutes" for page, time, most in rows if time > most] == []


def test_code_and_tables_are_no_reading(site):
    minutes = site("reading_times").minutes
    assert minutes("```python\nx = 1\n```\n\n    harness run a\n\n| a | b |\n") == 0
    assert minutes("word " * 230) == 1
