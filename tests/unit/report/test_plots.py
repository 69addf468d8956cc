from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import boards
from harness.report.columns import pareto_front
from harness.report.plots import plots
from harness.runs.record import Record

METHOD = {"plugin": "p", "version": "1", "digest": "d", "origin": "o"}


def record(name, seed, sizes=(10, 20, 30)):
    metrics = {f"accuracy@{size}": 0.5 + size / 100 + seed / 50 for size in sizes}
    return Record(
        id=f"{name}{seed}",
        status="done",
        task="active-learning",
        protocol={},
        protocol_id="a",
        dataset={"name": "di/gits", "loader": "l", "parameters": {}, "fingerprint": "f"},
        methods={"acquisition": {"kind": "acquisition", "name": name, "parameters": {}, **METHOD}},
        seed=seed,
        metrics=metrics,
        figures={"acquire_s": 0.01 * (1 + seed)},
        started="",
        finished="",
    )


@pytest.fixture
def pictures():
    return plots(boards([record(name, seed) for name in ("random", "$\\x$<b>") for seed in range(3)]))


def test_curves_and_cost_are_drawn_under_safe_names(pictures):
    assert sorted(pictures) == ["di-gits-cost.svg", "di-gits-curves.svg"]
    assert all(picture.startswith(b"<?xml") for picture in pictures.values())
    assert b"<b>" not in pictures["di-gits-curves.svg"]


def test_the_same_records_give_the_same_bytes(pictures):
    again = plots(boards([record(name, seed) for name in ("random", "$\\x$<b>") for seed in range(3)]))
    assert again == pictures


def test_numbers_on_a_log_axis_are_written_out(monkeypatch):
    from matplotlib.figure import Figure

    seen = []
    real = Figure.savefig

    def savefig(self, *arguments, **options):
        real(self, *arguments, **options)
        seen.extend(label.get_text() for axes in self.axes for label in axes.get_xticklabels(which="both"))

    monkeypatch.setattr(Figure, "savefig", savefig)
    records = [record(f"m{i}", 0).model_copy(update={"figures": {"acquire_s": 10.0**-i}}) for i in range(4)]
    plots(boards(records))
    assert "0.01" in seen
    assert not [text for text in seen if "$" in text]


def test_of_many_curves_the_best_are_named(monkeypatch):
    from matplotlib.figure import Figure

    names = []
    real = Figure.legend

    def legend(self, handles, labels, **options):
        names.append(labels)
        return real(self, handles, labels, **options)

    monkeypatch.setattr(Figure, "legend", legend)
    many = [record(f"m{i}", 0) for i in range(40)]
    many = [
        r.model_copy(update={"metrics": {k: v + i / 1000 for k, v in r.metrics.items()}}) for i, r in enumerate(many)
    ]
    plots(boards(many))
    assert names[0] == [f"m{i}" for i in range(39, 27, -1)]


def test_nothing_is_drawn_of_nothing():
    assert plots([]) == {}


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10))))
def test_the_front_is_what_no_other_point_beats(points):
    front = pareto_front(points)
    for cost, quality in front:
        assert not any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in points)
    for cost, quality in points:
        assert any(c <= cost and q >= quality for c, q in front)
