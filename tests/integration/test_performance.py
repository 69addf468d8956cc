"""The performance page: ratios of interleaved pairs, their interval, the file, and the page made from it."""

from __future__ import annotations

import importlib
import json
import sys
from types import SimpleNamespace

import pytest

MACHINE = {"measured": "2026-01-01", "commit": "abc", "cores": 2, "processor": "x86_64", "packages": {"numpy": "2.0"}}


MODULES = ("comparisons", "gate", "measure", "ratios", "rows")


@pytest.fixture
def module(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools" / "performance"))
    yield importlib.import_module
    for name in [name for name in sys.modules if name.partition(".")[0] in MODULES]:
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


def test_what_has_an_aim_is_printed_with_its_milliseconds(module, capsys, monkeypatch):
    measure, pair = module("measure"), module("ratios").Pair
    rows = [
        module("comparisons").Described(name, "10", "peer", "", "all", lambda: None, aim=aim)
        for name, aim in (("with", 250), ("without", 0))
    ]
    monkeypatch.setattr(measure, "described", lambda names: rows)
    monkeypatch.setattr(measure, "timed", lambda row, rounds: [pair(2.0, 2.0, 0.1)] * rounds)
    found = list(measure._printed([], 6))
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("s; 100 ms, aim on two cores 250 ms")
    assert "aim" not in second
    assert "0.1" not in json.dumps(module("ratios").stored(found, MACHINE)), "a file holds ratios alone"


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
    shown = [(row.name, row.size) for row in module("ratios").read(content)]
    rows = [(row.name, row.size) for row in module("rows").described()]
    assert shown == rows
    assert len(set(rows)) == len(rows)


class Clock:
    """Stands still but for what is done: seconds of wall and processor time."""

    def __init__(self):
        self.wall = self.processor = 0.0

    def work(self, seconds, *, wall_noise=1.0, processor_noise=1.0):
        self.wall += seconds * wall_noise
        self.processor += seconds * processor_noise

    def perf_counter(self):
        return self.wall

    def process_time(self):
        return self.processor


@pytest.fixture
def slow_rows(module, monkeypatch):
    """What the gate finds slow where ours take so many seconds beside 1 of the peer; the page has a ratio of 4."""
    gate, measure, comparisons = module("gate"), module("measure"), module("comparisons")
    page = [module("ratios").Ratio(name, "10", "peer", "all", (4.0,) * 6, (4.0,) * 6) for name in gate.ROWS]

    def found(ours, noise=lambda: {}):
        clock = Clock()
        monkeypatch.setattr(module("ratios"), "time", clock)

        def made(name):
            seconds = ours.get(name, 0.25)
            work = comparisons.Comparison(
                lambda: clock.work(seconds, **noise()), lambda: clock.work(1, **noise()), lambda one, other: None
            )
            return comparisons.Described(name, "10", "peer", "", "all", lambda: work)

        rows = [made(name) for name in gate.ROWS]
        slow = gate.slow_rows(rows, gate.bounds(module("ratios").stored(page, MACHINE)), measure.timed)
        return [line.partition(",")[0] for line in slow]

    return found


@pytest.mark.parametrize("saboteur", [["coreset"], ["evaluation"], ["coreset", "evaluation"]])
def test_what_is_three_times_as_slow_fails_the_gate_of_ci(slow_rows, saboteur):
    assert slow_rows({}) == []
    assert slow_rows(dict.fromkeys(saboteur, 0.75)) == saboteur
    assert slow_rows(dict.fromkeys(saboteur, 0.45)) == []


def test_other_work_on_the_machine_does_not(slow_rows):
    """Whatever one pair in three, or one of the two kinds of time, shows."""
    turns = iter(range(10**6))
    assert slow_rows({}, lambda: {"wall_noise": 1 + 20 * (next(turns) % 6 == 0)}) == []
    assert slow_rows({}, lambda: {"wall_noise": 1 + 9 * (next(turns) % 2)}) == []
    assert slow_rows({}, lambda: {"processor_noise": 1 + 9 * (next(turns) % 2)}) == []


def test_a_slow_first_try_is_followed_by_a_longer_one(module):
    gate, pair = module("gate"), module("ratios").Pair
    row, asked = SimpleNamespace(name="coreset", size="10", peer="peer"), []

    def timing(row, pairs):
        asked.append(pairs)
        return [pair(1.0, 1.0) if len(asked) == 1 else pair(4.0, 4.0)] * pairs

    assert gate.slow_rows([row], {("coreset", "10"): 2.0}, timing) == []
    assert asked == list(gate.PAIRS)


def test_the_gate_of_ci_has_rows_that_the_page_shows_far_above_their_bound(module, root):
    gate = module("gate")
    content = json.loads((root / "leaderboards" / "performance" / "ratios.json").read_text(encoding="utf-8"))
    least = gate.bounds(content)
    assert {(row.name, row.size) for row in module("rows").described(gate.ROWS)} == set(least)
    assert all(bound >= 1 for bound in least.values())


@pytest.mark.slow
def test_both_sides_of_every_comparison_give_the_same(module):
    comparisons = module("rows").described()
    assert len(comparisons) >= 8
    for one in comparisons:
        made = one.make()
        made.same(made.ours(), made.peer())
