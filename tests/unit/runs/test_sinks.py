"""Sinks: what they are told, and that none of them can break a run."""

from __future__ import annotations

import pytest

import harness
from harness import hookimpl
from harness.core.errors import NameTaken, PluginError, UnknownName
from harness.registry import load_registry
from harness.runs.sinks import Sinks, open_sinks, send

SPEC = {
    "name": "toy",
    "task": "retrieval",
    "datasets": "toy-images",
    "methods": {"backbone": "colour", "pooling": ["mac", "broken"]},
}
PLUGIN = """
from pathlib import Path
from harness import hookimpl

class Lines:
    def __init__(self):
        self.file = (Path(__file__).parent / "lines").open("a")

    def line(self, *words):
        print(*words, file=self.file, flush=True)

    @hookimpl
    def harness_run_started(self, run):
        self.line("started", run.id)

    @hookimpl
    def harness_run_finished(self, record):
        self.line(record.status, record.id)

    @hookimpl
    def harness_finished(self, records):
        self.line("all", len(records))

class Fails:
    @hookimpl
    def harness_run_finished(self, record):
        raise RuntimeError("no route\\nto host")

class Stillborn:
    def __init__(self):
        raise RuntimeError("no key")

@hookimpl
def harness_register(registry):
    registry.sink("lines", Lines)
    registry.sink("fails", Fails)
    registry.sink("stillborn", Stillborn)
"""


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "reporters.py"
    path.write_text(PLUGIN)
    return str(path)


def test_a_reporter_hears_of_each_run_and_one_that_fails_breaks_nothing(tmp_path, toy, plugin, capsys):
    arguments = {"plugins": (toy, plugin), "runs": tmp_path / "runs", "cache": tmp_path / "cache"}
    good, broken = harness.run(SPEC, **arguments, sinks=("fails", "lines"))
    assert (good.status, broken.status) == ("done", "failed")
    heard = (tmp_path / "lines").read_text().splitlines()
    assert heard == [f"started {good.id}", f"done {good.id}", f"started {broken.id}", f"failed {broken.id}", "all 2"]
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == ['warning: sink "fails" failed and gets nothing more: RuntimeError: no route to host']


def test_nobody_is_told_anything_unasked(tmp_path, toy, plugin):
    harness.run(SPEC, plugins=(toy, plugin), runs=tmp_path / "runs", cache=tmp_path / "cache")
    assert not (tmp_path / "lines").exists()


def test_the_record_is_written_before_a_reporter_hears_of_it(tmp_path, toy):
    from harness.core.progress import SilentProgress
    from harness.data.folders import data_folders
    from harness.runs.plan import make_plan
    from harness.runs.planned import runs_store
    from harness.runs.runner import run_plan

    plan = make_plan(SPEC, data_folders(cache=tmp_path / "cache"), plugins=(toy,))
    store = runs_store(plan, tmp_path / "runs")
    seen = []

    class Looks:
        @hookimpl
        def harness_run_finished(self, record):
            seen.append(store.read(record.id) == record)

    run_plan(plan, store, progress=SilentProgress(), sinks=Sinks({"looks": Looks()}))
    assert seen == [True, True]


def test_records_that_are_there_can_be_sent_afterwards(tmp_path, toy, plugin):
    records = harness.run(SPEC, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    warnings = []
    assert send(records, load_registry([plugin]), ["lines", "fails"], warnings.append) == ["fails"]
    assert (tmp_path / "lines").read_text().splitlines()[-1] == "all 2"
    assert len(warnings) == 1


def test_wrong_names_and_reporters_are_named_before_anything_runs(tmp_path, toy, plugin):
    with pytest.raises(UnknownName, match='unknown sink "line"') as error:
        harness.run(SPEC, plugins=(toy, plugin), runs=tmp_path / "runs", sinks=("line",))
    assert 'did you mean "lines"?' in error.value.fix
    with pytest.raises(PluginError, match='sink "stillborn" cannot start: RuntimeError: no key'):
        harness.run(SPEC, plugins=(toy, plugin), runs=tmp_path / "runs", sinks=("stillborn",))
    assert not (tmp_path / "runs").exists()


def test_hooks_that_do_not_exist_or_take_something_else():
    class Misspelt:
        @hookimpl
        def harness_run_finnished(self, record):
            pass

    class Greedy:
        @hookimpl
        def harness_run_finished(self, record, plan):
            pass

    for sink, words in ((Misspelt(), "finnished"), (Greedy(), "plan"), (object(), "implements no hook")):
        with pytest.raises(PluginError, match=words) as error:
            Sinks({"x": sink})
        assert "harness_run_started" in error.value.fix


def test_reporters_are_listed_and_their_names_are_unique(tmp_path):
    registry = load_registry()
    assert registry.names("sink") == ["mlflow"]
    assert "MLflow" in registry.entry("sink", "mlflow").summary
    twice = tmp_path / "twice.py"
    twice.write_text(PLUGIN.replace('"lines"', '"mlflow"'))
    with pytest.raises(NameTaken, match='the sink "mlflow"'):
        registry.load(str(twice))
    assert registry.names("sink") == ["mlflow"]


def test_the_old_name_registers_a_sink_with_a_warning(tmp_path):
    path = tmp_path / "old.py"
    path.write_text(
        "from harness import hookimpl\n@hookimpl\ndef harness_register(registry):\n    registry.reporter('old', dict)\n"
    )
    with pytest.warns(DeprecationWarning, match=r"registry\.sink"):
        registry = load_registry([path])
    assert "old" in registry.names("sink")


def test_no_reporters_is_no_work():
    hooks = open_sinks(load_registry(), ())
    hooks.finished([])
    assert hooks.failed == []
