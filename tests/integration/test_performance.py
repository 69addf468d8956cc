"""The performance page: ratios of interleaved pairs, their interval, the file, and the page made from it."""

from __future__ import annotations

import importlib
import json
import sys

import pytest

MACHINE = {"measured": "2026-01-01", "commit": "abc", "cores": 2, "processor": "x86_64", "packages": {"numpy": "2.0"}}


@pytest.fixture
def module(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools" / "performance"))
    yield importlib.import_module
    for name in ("comparisons", "measure", "ratios"):
        sys.modules.pop(name, None)


def test_an_interval_of_a_median_is_of_order_statistics(module):
    Ratio = module("ratios").Ratio
    nine = Ratio("a", "b", "c", "d", tuple(range(1, 10)), (1.0,) * 9)
    assert nine.median == 5
    assert nine.interval == (2, 8)  # 96%: half of the distribution lies on either side
    assert Ratio("a", "b", "c", "d", tuple(range(1, 7)), (1.0,) * 6).interval == (1, 6)


def test_pairs_are_interleaved_and_who_is_first_alternates(module):
    calls = []
    found = list(module("ratios").pairs(lambda: calls.append("ours"), lambda: calls.append("peer"), 3, repeat=2))
    assert len(found) == 3
    assert calls == ["ours"] * 2 + ["peer"] * 4 + ["ours"] * 4 + ["peer"] * 2


def test_the_file_is_read_as_it_was_written_and_the_page_shows_it(module):
    ratios = module("ratios")
    one = ratios.Ratio("search", "10 x 2", "faiss 1.0", "similarities", (2.0, 3.0, 4.0, 5.0, 6.0, 7.0), (2.5,) * 6)
    content = json.loads(json.dumps(ratios.stored([one], MACHINE)))
    assert ratios.read(content) == [one]
    assert "| search | 10 x 2 | faiss 1.0 | **4.5** | 2 to 7 | similarities |" in ratios.page(content)
    assert "commit abc, on 2 cores" in ratios.page(content)
    with pytest.raises(ValueError, match="make bench"):
        ratios.read({**content, "version": 0})


def test_the_committed_page_is_that_of_the_committed_file(module, root):
    folder = root / "leaderboards" / "performance"
    if not (folder / "ratios.json").is_file():
        pytest.skip("nothing is measured yet: make bench")
    content = json.loads((folder / "ratios.json").read_text(encoding="utf-8"))
    assert (folder / "README.md").read_text(encoding="utf-8") == module("ratios").page(content)
    assert [(r.name, r.size) for r in module("ratios").read(content)] == [
        (one.name, one.size) for one in module("comparisons").described()
    ]


@pytest.mark.slow
def test_both_sides_of_every_comparison_give_the_same(module):
    comparisons = module("comparisons").described()
    assert len(comparisons) >= 8
    for one in comparisons:
        made = one.make()
        made.same(made.ours(), made.peer())
