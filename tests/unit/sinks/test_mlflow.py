"""Records in a local MLflow store, and nothing sent anywhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import harness
from harness.core.errors import PluginError
from harness.registry import load_registry
from harness.runs.sinks import send
from harness.sinks.mlflow import ADDRESS, MLflowSink

needs_mlflow = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("mlflow") is None, reason="mlflow-skinny is not installed"
)
ACTIVE = {
    "name": "toy",
    "task": "active-learning",
    "datasets": "toy-classes",
    "methods": {"learning": {"supervised": {"epochs": 2}}, "acquisition": "random"},
    "protocol": {"initial": 6, "budget": 3, "cycles": 2},
    "seeds": [4],
}
RETRIEVAL = {
    "name": "toy",
    "task": "retrieval",
    "datasets": "toy-images",
    "methods": {"backbone": "colour", "pooling": [{"gem": {"p": 2.5}}, "broken"]},
}


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Address of an empty store in a folder; any connection to the network is an error."""
    import socket

    monkeypatch.setattr(socket.socket, "connect", lambda *a: pytest.fail(f"connects to {a[1:]}"))
    monkeypatch.setenv(ADDRESS, f"file:{tmp_path / 'store'}")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return f"file:{tmp_path / 'store'}"


def sent(store):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("harness")
    return client, client.search_runs([experiment.experiment_id])


@needs_mlflow
def test_a_curve_with_its_tags_parameters_and_record(tmp_path, toy, store):
    (record,) = harness.run(ACTIVE, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache", sinks=("mlflow",))
    client, (run,) = sent(store)
    assert run.info.status == "FINISHED"
    assert run.data.tags["harness.run_id"] == record.id
    assert run.data.tags["harness.dataset_fingerprint"] == record.dataset.fingerprint
    assert run.data.tags["harness.learning.digest"] == record.methods["learning"].digest
    assert run.data.params["learning.epochs"] == "2"
    assert run.data.params["seed"] == "4"
    assert run.data.params["protocol.budget"] == "3"
    assert run.data.metrics["accuracy_at_9"] == record.metrics["accuracy@9"]
    curve = client.get_metric_history(run.info.run_id, "curve.accuracy")
    assert [(point.step, point.value) for point in curve] == [
        (cycle["n_labelled"], cycle["accuracy"]) for cycle in record.details["cycles"]
    ]
    text = (tmp_path / "runs" / f"{record.id}.json").read_text()
    folder = client.download_artifacts(run.info.run_id, f"{record.id}.json", str(tmp_path))
    with open(folder) as kept:
        assert json.load(kept) == json.loads(text)


@needs_mlflow
def test_failed_runs_are_sent_as_failed_and_nothing_is_sent_twice(tmp_path, toy, store, monkeypatch):
    monkeypatch.setattr("harness.sinks.mlflow._PAGE", 1)  # what was sent before comes in pages
    arguments = {"plugins": (toy,), "runs": tmp_path / "runs", "cache": tmp_path / "cache"}
    records = harness.run(RETRIEVAL, **arguments, sinks=("mlflow",))
    assert send(records, load_registry(), ["mlflow"]) == []
    _, runs = sent(store)
    assert sorted(run.info.status for run in runs) == ["FAILED", "FINISHED"]
    (failed,) = (run for run in runs if run.info.status == "FAILED")
    assert failed.data.tags["harness.failure"] == "RuntimeError: this pooling is broken"
    (done,) = (run for run in runs if run.info.status == "FINISHED")
    assert done.data.params["pooling.p"] == "2.5"
    assert done.data.metrics["map_medium"] == records[0].metrics["map_medium"]
    assert done.data.metrics["mp_at_10_medium"] == records[0].metrics["mp@10_medium"]


@needs_mlflow
def test_a_server_that_does_not_answer_costs_one_warning(tmp_path, toy, store, monkeypatch, capsys):
    monkeypatch.setattr(MLflowSink, "_is_there", lambda self, record: (_ for _ in ()).throw(OSError("timed out")))
    records = harness.run(
        RETRIEVAL, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache", sinks=("mlflow",)
    )
    assert [record.status for record in records] == ["done", "failed"]
    assert capsys.readouterr().err.count("warning: ") == 1


@needs_mlflow
def test_without_an_address_nothing_is_guessed(monkeypatch):
    monkeypatch.delenv(ADDRESS, raising=False)
    with pytest.raises(PluginError, match="is not told where") as error:
        MLflowSink()
    assert ADDRESS in error.value.fix


def test_a_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(PluginError, match="needs the package mlflow-skinny") as error:
        MLflowSink()
    assert "[mlflow]" in error.value.fix


@needs_mlflow
def test_telemetry_is_off_before_mlflow_is_loaded(tmp_path):
    code = (
        "from harness.sinks.mlflow import MLflowSink; MLflowSink()\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled; print(is_telemetry_disabled())"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    environment[ADDRESS] = f"file:{tmp_path / 'store'}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["True"]
