from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.boards import boards
from harness.boards.columns import pareto_front
from harness.boards.plots import plots
from harness.boards.plots.canvas import picture
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


@pytest.fixture(scope="module")
def pictures():
    return plots(boards([record(name, seed) for name in ("random", "$\\x$<b>") for seed in range(3)]))


def test_curves_and_cost_are_drawn_under_safe_names(pictures):
    assert sorted(pictures) == ["di-gits-cost.svg", "di-gits-curves.svg", "di-gits-intervals.svg"]
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


def drawn(monkeypatch, made, name):
    """Texts of a picture, and the number of its visible panels."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    seen = {}

    def savefig(self, *_, **__):  # looked at, not written
        texts = [text.get_text() for text in self.findobj(Text)]
        seen[len(seen)] = texts, [axes for axes in self.axes if axes.get_visible()]

    monkeypatch.setattr(Figure, "savefig", savefig)
    found = plots(boards(made, cost=False))
    return seen[list(found).index(name)]


def spread(names, seeds=3):
    made = [record(name, seed) for name in names for seed in range(seeds)]
    shift = {name: place / 50 for place, name in enumerate(names)}
    return [
        r.model_copy(update={"metrics": {k: v + shift[r.methods["acquisition"].name] for k, v in r.metrics.items()}})
        for r in made
    ]


def test_a_few_curves_have_their_names_at_the_lines(monkeypatch):
    texts, panels = drawn(monkeypatch, spread(["random", "a", "b"]), "di-gits-curves.svg")
    assert len(panels) == 1
    assert {"random", "a", "b"} <= set(texts)
    assert panels[0].get_legend() is None


def test_the_accuracy_with_all_labels_is_a_named_line(monkeypatch):
    made = [r.model_copy(update={"metrics": {**r.metrics, "full_supervision": 0.97}}) for r in spread(["random", "a"])]
    texts, panels = drawn(monkeypatch, made, "di-gits-curves.svg")
    assert texts.count("all labels") == 1
    assert any(line.get_linestyle() == ":" for line in panels[0].get_lines())


def test_many_curves_have_a_panel_each_with_the_reference(monkeypatch):
    names = ["random", *(f"m{i}" for i in range(7))]
    texts, panels = drawn(monkeypatch, spread(names), "di-gits-curves.svg")
    assert len(panels) == 8
    assert sorted(axes.get_title() for axes in panels) == sorted(names)
    assert any("dashed: random" in text for text in texts)
    lines = {axes.get_title(): len(axes.get_lines()) for axes in panels}
    assert lines == {name: 1 if name == "random" else 2 for name in names}


def test_of_many_curves_the_best_are_shown_and_it_is_said(monkeypatch):
    monkeypatch.setattr("harness.boards.plots.curves._MOST_PANELS", 8)
    texts, panels = drawn(monkeypatch, spread([f"m{i}" for i in range(20)], seeds=1), "di-gits-curves.svg")
    assert len(panels) == 8
    assert panels[0].get_title() == "m19"
    assert any("best 8 of 20 methods" in text for text in texts)


def of_settings(n, names=("a", "b", "c")):
    return [
        record(name, seed).model_copy(update={"protocol": {"budget": budget}, "id": f"{name}{seed}{budget}"})
        for budget in range(n)
        for name in names
        for seed in range(2)
    ]


def only_names(monkeypatch):
    """Of pictures that other tests draw."""
    monkeypatch.setattr("harness.boards.plots.boards.picture", lambda *_: b"")


def test_curves_of_several_boards_stand_side_by_side_and_ranks_are_drawn(monkeypatch):
    only_names(monkeypatch)
    names = set(plots(boards(of_settings(5), cost=False)))
    assert {"active-learning-curves.svg", "active-learning-ranks.svg", "di-gits-budget-0-curves.svg"} <= names
    assert "active-learning-curves.svg" not in plots(boards(of_settings(1)))


def test_pictures_have_the_same_bytes_each_time_and_do_not_follow_the_users_settings():
    import matplotlib as mpl

    made = boards(of_settings(1, ("<script>alert(1)</script>|**x**", "$\\x$", "_hidden")), cost=False)
    first = plots(made, ("svg", "pdf"))
    with mpl.rc_context({"font.size": 30, "text.usetex": True, "svg.fonttype": "none"}):
        assert plots(made, ("svg", "pdf")) == first
    assert all(image.startswith(b"%PDF") for name, image in first.items() if name.endswith(".pdf"))
    assert all(b"<script" not in image for image in first.values())
    assert picture(lambda figure: figure.text(0, 0, "a"), (1, 1), "png").startswith(b"\x89PNG")


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
    assert [set(labels) for labels in names] == [{"_hidden", "a"}]  # curves have names at the lines


def test_datasets_whose_names_become_equal_have_files_of_their_own(monkeypatch):
    only_names(monkeypatch)
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


def test_the_line_of_all_labels_stands_in_the_picture_of_several_boards_too(monkeypatch):
    made = [r.model_copy(update={"metrics": {**r.metrics, "full_supervision": 0.97}}) for r in of_settings(2)]
    texts, panels = drawn(monkeypatch, made, "active-learning-curves.svg")
    assert texts.count("all labels") == 1
    assert [[line.get_linestyle() for line in axes.get_lines()].count(":") for axes in panels] == [1, 1]
