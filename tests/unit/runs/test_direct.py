"""Classes and instances in place of names, and what notebooks show."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import pytest
import torch

import harness
from harness.core.errors import BadParameter, NameTaken, PluginError, SpecError
from harness.core.notebook import NotebookProgress, in_notebook
from harness.plugin_api import DataFolders
from harness.runs.executors.choose import Options
from harness.runs.plan import make_plan


@dataclass(frozen=True)
class PowerMean:
    """Mean of powers."""

    p: float = 2.0
    weights: tuple[int, ...] = (1, 2)

    def pool(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.clamp(min=1e-6).pow(self.p).mean(dim=(1, 2)).pow(1 / self.p)


def spec(*pooling):
    methods = {"backbone": "colour", "pooling": list(pooling)}
    return {"name": "direct", "task": "retrieval", "datasets": "toy-images", "methods": methods}


@pytest.fixture
def planned(tmp_path, toy, clean_process):
    def plan(*pooling):
        return make_plan(spec(*pooling), DataFolders(tmp_path, tmp_path / "cache"), plugins=(toy,))

    return plan


@pytest.fixture
def records(tmp_path, toy, clean_process):
    given = spec(PowerMean, PowerMean(p=4.0), "mac")
    return harness.run(given, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")


def test_classes_and_instances_run_beside_names(records):
    assert [record.status for record in records] == ["done"] * 3
    assert [record.methods["pooling"].name for record in records] == ["PowerMean", "PowerMean", "mac"]
    assert records[1].methods["pooling"].parameters == {"p": 4.0, "weights": [1, 2]}
    assert records[0].methods["pooling"].digest != "v1"
    assert len({record.id for record in records}) == 3


def test_a_board_of_them_is_text_that_notebooks_show_as_html(records):
    board = harness.leaderboard(records, title="Mine & others")
    assert isinstance(board, str)
    assert "PowerMean" in board
    html = board._repr_html_()
    assert "PowerMean p=4" in html
    assert "<h1>Mine &amp; others</h1>" in html
    assert "<html" not in html
    assert pickle.loads(pickle.dumps(board)) == board
    assert type(harness.leaderboard(records, format="csv")) is str


def test_records_become_a_data_frame(records):
    frame = harness.to_pandas(records)
    assert list(frame.index) == [record.id for record in records]
    assert list(frame.columns[:5]) == ["dataset", "backbone", "pooling", "seed", "status"]
    assert list(frame["pooling"]) == ["PowerMean p=2", "PowerMean p=4", "mac"]
    assert frame["map_medium"].between(0, 1).all()


def test_an_instance_of_a_registered_class_is_that_method(planned):
    from harness_pooling.gem import GeM

    given, named = planned(GeM(p=4.0)), planned({"gem": {"p": 4.0}})
    assert given.runs[0].id == named.runs[0].id
    assert not given.registry.given


def test_a_list_is_one_value_and_not_a_sweep(planned):
    assert len(planned(PowerMean(weights=(3, 4))).runs) == 1


def test_other_processes_do_not_get_them(planned, tmp_path):
    from harness.runs.planned import runs_store
    from harness.runs.runner import run_plan

    plan = planned(PowerMean)
    with pytest.raises(SpecError, match="PowerMean: other processes cannot load"):
        run_plan(plan, runs_store(plan, tmp_path / "runs"), options=Options("processes"))


class NoDataclass:
    """As a beginner writes it."""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (NoDataclass, r"methods.pooling\[0\]: the class NoDataclass is no pooling"),
        (NoDataclass(), r"methods.pooling\[0\]: a NoDataclass is no pooling"),
        (torch.nn.Linear(1, 1), r"methods.pooling\[0\]: Linear is a torch.nn.Module"),
        (lambda maps: maps, r"methods.pooling\[0\]: a function is no pooling"),
    ],
)
def test_what_is_no_method_is_refused(planned, given, message):
    with pytest.raises(PluginError, match=message):
        planned(given)


def test_two_classes_of_one_name_are_refused(planned):
    other = dataclass(frozen=True)(type("PowerMean", (PowerMean,), {}))
    with pytest.raises((NameTaken, PluginError)):
        planned(PowerMean, other)


def test_progress_in_a_notebook_is_one_place_that_is_replaced(monkeypatch):
    shown = []

    class Handle:
        def update(self, picture):
            shown.append(picture.data)

    def display(picture, display_id):
        shown.append(picture.data)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    progress = NotebookProgress()
    progress.update("runs", 0, 2)
    progress.update("<images>", 5, 5)
    progress.update("runs", 2, 2)
    assert "runs 0 of 2" in shown[0]
    assert "runs 2 of 2" in shown[-1]
    assert "<images>" not in "".join(shown)
    assert not in_notebook()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"plugins": "mine.py"}, 'plugins=("mine.py",)'),
        ({"add": "pooling=gem"}, 'add=("pooling=gem",)'),
        ({"sinks": "mlflow"}, 'sinks=("mlflow",)'),
        ({"add": [PowerMean()]}, "classes and instances stand in the spec"),
        ({"plugins": 3}, "plugins is 3 and no tuple"),
        ({"options": {"workers": 2}}, "options=Options(workers=4)"),
    ],
)
def test_arguments_of_another_type_are_refused(arguments, words):
    with pytest.raises(BadParameter) as caught:
        harness.run(spec("mac"), **arguments)
    assert words in str(caught.value)


def test_what_is_no_spec_and_no_record_is_refused(tmp_path):
    with pytest.raises(SpecError, match="3 is no spec"):
        harness.run(3)
    with pytest.raises(
        SpecError, match=r"methods.pooling\[0\]: the class PowerMean .*\n.*\[PowerMean\(...\), PowerMean"
    ):
        harness.run(spec({PowerMean: {"p": [2, 3]}}))
    for function in (harness.leaderboard, harness.to_pandas, lambda path: harness.compare(path, path)):
        with pytest.raises(SpecError, match=r'harness.find_results\("spec.yaml"\)'):
            function("spec.yaml")
