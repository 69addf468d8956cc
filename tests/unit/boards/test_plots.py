from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.boards import boards
from harness.boards.columns import pareto_front
from harness.boards.plots import plots
from harness.core.errors import UnknownName
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


def of_settings(n, names=("a", "b", "c")):
    return [
        record(name, seed).model_copy(update={"protocol": {"budget": budget}, "id": f"{name}{seed}{budget}"})
        for budget in range(n)
        for name in names
        for seed in range(2)
    ]


def test_curves_of_several_boards_stand_side_by_side_and_ranks_are_drawn():
    names = set(plots(boards(of_settings(5), cost=False)))
    assert {"active-learning-curves.svg", "active-learning-ranks.svg", "di-gits-budget-0-curves.svg"} <= names
    assert "active-learning-curves.svg" not in plots(boards(of_settings(1)))


def test_png_and_svg_have_the_same_bytes_each_time_and_do_not_follow_the_users_settings():
    import matplotlib as mpl

    made = boards(of_settings(1, ("<script>alert(1)</script>|**x**", "$\\x$", "_hidden")))
    first = plots(made, ("svg", "png"))
    with mpl.rc_context({"font.size": 30, "text.usetex": True, "svg.fonttype": "none"}):
        assert plots(made, ("svg", "png")) == first
    assert all(image.startswith(b"\x89PNG") for name, image in first.items() if name.endswith(".png"))
    assert all(b"<script" not in image for image in first.values())


def test_an_unknown_kind_of_image_is_an_error():
    with pytest.raises(UnknownName, match="gif"):
        plots(boards(of_settings(1)), ("gif",))


def test_names_that_matplotlib_would_hide_are_in_the_legend(monkeypatch):
    from matplotlib.figure import Figure

    names = []
    real = Figure.legend
    monkeypatch.setattr(
        Figure, "legend", lambda self, h, labels, **o: names.append(labels) or real(self, h, labels, **o)
    )
    plots(boards([record(name, 0) for name in ("_hidden", "a")]))
    assert all(set(labels) == {"_hidden", "a"} for labels in names)
    assert len(names) == 2


def test_datasets_whose_names_become_equal_have_files_of_their_own():
    other = record("a", 0)
    other = other.model_copy(update={"dataset": other.dataset.model_copy(update={"name": "di?gits"})})
    names = list(plots(boards([record("a", 0), record("b", 0), other])))
    assert len(names) == len(set(names))
    assert {"di-gits-curves.svg", "di-gits-2-curves.svg"} <= set(names)


def test_nothing_is_drawn_of_nothing():
    assert plots([]) == {}


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10))))
def test_the_front_is_what_no_other_point_beats(points):
    front = pareto_front(points)
    for cost, quality in front:
        assert not any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in points)
    for cost, quality in points:
        assert any(c <= cost and q >= quality for c, q in front)
