"""Records to MLflow: one MLflow run a record, with parameters, metrics, the curve over the labels, and the record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from harness.core.errors import PluginError
from harness.core.signed import signed
from harness.plugin_api import RecordView, hookimpl

ADDRESS: Final = "MLFLOW_TRACKING_URI"
EXPERIMENT: Final = "MLFLOW_EXPERIMENT_NAME"
_BATCH: Final = 100
"""MLflow takes at most 100 parameters, and 1,000 metrics, in one request."""
_PAGE: Final = 1_000
_LONGEST: Final = 5_000
"""MLflow refuses values of more than 6,000 (tags: 5,000) characters."""
T = TypeVar("T")


class MLflowSink:
    """Sends records to the MLflow server or folder that MLFLOW_TRACKING_URI names.

    A record that is there already (the same run id and end) is not sent twice. MLflow's own telemetry is switched off.

    Raises:
        PluginError: MLflow is not installed, or nothing says where to send.
    """

    def __init__(self) -> None:
        address = os.environ.get(ADDRESS, "")
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when mlflow is imported
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise PluginError(
                'sink "mlflow" needs the package mlflow-skinny, which is not installed',
                fix='pip install "vision-evaluation-harness[mlflow]"',
            ) from error
        if not address:
            raise PluginError(
                'sink "mlflow" is not told where to send records',
                fix=f"set {ADDRESS} to the address of a server or to a folder (file:mlruns)",
            )
        if "://" not in address or address.startswith("file:"):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # else MLflow >= 3.7 refuses folders
        self._client = MlflowClient(tracking_uri=address)
        self._there: set[tuple[str, str]] | None = None
        self._experiment = self._find_experiment(os.environ.get(EXPERIMENT) or "harness")

    @hookimpl
    def harness_run_finished(self, record: RecordView) -> None:
        """Send one record."""
        if self._is_there(record):
            return
        begin = _milliseconds(record.started)
        made = self._client.create_run(self._experiment, start_time=begin, tags=_tags(record), run_name=_name(record))
        self._send(made.info.run_id, record)
        status = "FINISHED" if record.status == "done" else "FAILED"
        self._client.set_terminated(made.info.run_id, status, _milliseconds(record.finished))

    def _send(self, run_id: str, record: RecordView) -> None:
        from mlflow.entities import Metric, Param

        when = _milliseconds(record.finished) or 0
        metrics = [Metric(key, value, when, step) for key, value, step in _metrics(record)]
        parameters = [Param(key, value[:_LONGEST]) for key, value in _parameters(record).items()]
        for few in _batches(parameters):
            self._client.log_batch(run_id, params=few)
        for some in _batches(metrics):
            self._client.log_batch(run_id, metrics=some)
        text = signed(record.model_dump(by_alias=True)).decode()
        self._client.log_text(run_id, text, f"{record.id}.json")

    def _find_experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _is_there(self, record: RecordView) -> bool:
        if self._there is None:
            self._there = set(self._sent_before())
        new = (record.id, record.finished) not in self._there
        self._there.add((record.id, record.finished))
        return not new

    def _sent_before(self) -> Iterator[tuple[str, str]]:
        """Run id and end of all records of the experiment: asked for once, not once a record."""
        token = None
        while True:
            runs = self._client.search_runs([self._experiment], max_results=_PAGE, page_token=token)
            for run in runs:
                yield run.data.tags.get("harness.run_id", ""), run.data.tags.get("harness.finished", "")
            token = runs.token
            if not token:
                return


def _name(record: RecordView) -> str:
    methods = [method.name for method in record.methods.values()]
    return " · ".join([record.dataset.name, *methods, f"seed {record.seed}"])


def _tags(record: RecordView) -> dict[str, str]:
    tags = {
        "harness.run_id": record.id,
        "harness.finished": record.finished,
        "harness.task": record.task,
        "harness.protocol": record.protocol_id,
        "harness.dataset_fingerprint": record.dataset.fingerprint,
        "harness.commit": str(record.environment.get("git", {}).get("commit", "")),
        "harness.machine": str(record.environment.get("cpu", "")),
    }
    for kind, method in record.methods.items():
        tags[f"harness.{kind}.digest"] = method.digest
        tags[f"harness.{kind}.plugin"] = f"{method.plugin} {method.version}".strip()
    if record.failure is not None:
        tags["harness.failure"] = f"{record.failure.code}: {record.failure.message}"
    return {key: value[:_LONGEST] for key, value in tags.items() if value}


def _parameters(record: RecordView) -> dict[str, str]:
    """``pooling: gem``, ``pooling.p: 3.0``, ``protocol.image_size: 256``."""
    found: dict[str, Any] = {"dataset": record.dataset.name, "seed": record.seed}
    found |= {f"dataset.{name}": value for name, value in record.dataset.parameters.items()}
    found |= {f"protocol.{name}": value for name, value in record.protocol.items()}
    for kind, method in record.methods.items():
        found[kind] = method.name
        found |= {f"{kind}.{name}": value for name, value in method.parameters.items()}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def _metrics(record: RecordView) -> Iterator[tuple[str, float, int]]:
    """Name, value, step. What is measured once has step 0; the curve has the number of labels as step."""
    numbers: dict[str, float | None] = {**record.metrics, **record.figures}
    for stage, cost in record.cost.items():
        numbers |= {f"cost.{stage}.wall_s": cost.wall_s, f"cost.{stage}.peak_bytes": cost.peak_bytes}
    for key, value in numbers.items():
        if value is not None:
            yield _key(key), value, 0
    cycles = record.details.get("cycles")
    for cycle in cycles if isinstance(cycles, list) else []:
        yield "curve.accuracy", cycle["accuracy"], cycle["n_labelled"]
        for what in ("train", "extract", "acquire"):
            if cycle.get(what) is not None:
                yield f"curve.{what}_s", cycle[what]["wall_s"], cycle["n_labelled"]


def _key(name: str) -> str:
    """MLflow's names have no ``@``: ``accuracy@40`` is ``accuracy_at_40``."""
    return name.replace("@", "_at_")


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _milliseconds(moment: str) -> int | None:
    """Of an ISO time; None where a record has none."""
    return int(datetime.fromisoformat(moment).timestamp() * 1000) if moment else None
