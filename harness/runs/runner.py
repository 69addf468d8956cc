"""Does the runs of a plan that have no record yet, one after the other, and leaves a record of each."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from harness.composition import deviations_of
from harness.errors import Errors, HarnessError
from harness.folders import data_folders
from harness.parameters import resolved
from harness.progress import Reporter, Silent
from harness.protocols import DataFolders
from harness.runs.environment import environment
from harness.runs.plan import Configured, Plan, Run, make_plan
from harness.runs.record import DatasetRecord, Failure, MethodRecord, Record
from harness.runs.reporting import Reporting, reporting
from harness.runs.store import Store
from harness.runs.tasks import Outcome, perform

_TRACEBACK_LINES = 30


def run(
    spec: str | Path | Mapping[str, Any],
    *,
    plugins: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
    data: str | Path | None = None,
    cache: str | Path | None = None,
    runs: str | Path | None = None,
    reporter: Reporter | None = None,
    retry_failed: bool = False,
    report: tuple[str, ...] = (),
    catalogues: tuple[Path, ...] = (),
) -> list[Record]:
    """Do a comparison and return the records of all its runs, in the order of the plan.

    Runs that have a record are not done again. A run that fails leaves a record that says so; the others go on.

    Args:
        spec: path of a YAML spec, or the same as a mapping.
        plugins: files or modules with methods, besides the installed ones.
        add: ``KIND=NAME``: methods that join the alternatives of the spec.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        cache: folder of what can be made again (default ``$HARNESS_CACHE``).
        runs: folder of the records (default ``runs`` beside the spec).
        reporter: shows progress.
        retry_failed: do failed runs again.
        report: names of reporters that get the records, ``mlflow``.
        catalogues: files with datasets of the user, besides ``datasets.yaml`` beside the spec.

    Raises:
        Errors: mistakes in the spec, all at once; nothing was run.
    """
    plan = make_plan(spec, data_folders(data, cache), plugins=plugins, add=add, catalogues=catalogues)
    hooks = reporting(plan.registry, report)
    store = runs_store(plan, runs)
    return run_plan(plan, store, reporter=reporter or Silent(), retry_failed=retry_failed, hooks=hooks)


def runs_store(plan: Plan, folder: str | Path | None = None) -> Store:
    """The store of a plan's records: ``folder``, or ``runs`` beside the spec."""
    return Store(Path(folder) if folder else plan.spec.folder / "runs")


def pending(plan: Plan, store: Store, *, retry_failed: bool = False) -> list[Run]:
    """The runs that have no record (or, with ``retry_failed``, only one of a failure)."""
    known = store.read_many(run.id for run in plan.runs)
    return [run for run in plan.runs if run.id not in known or (retry_failed and known[run.id].status == "failed")]


def run_plan(
    plan: Plan,
    store: Store,
    *,
    reporter: Reporter,
    retry_failed: bool = False,
    finished: Callable[[Run, Record], None] = lambda run, record: None,
    hooks: Reporting | None = None,
) -> list[Record]:
    """Do what is pending; ``finished`` is called after each run. Returns all records in the order of the plan.

    Raises:
        Errors: the plan is incomplete; nothing was run.
    """
    if plan.missing:
        raise Errors(plan.missing)
    hooks = hooks or Reporting()
    waiting = pending(plan, store, retry_failed=retry_failed)
    for done, run in enumerate(waiting):
        reporter.update("runs", done, len(waiting))
        hooks.run_started(run)
        record = execute(run, plan.folders, reporter)
        store.write(record)
        finished(run, record)
        hooks.run_finished(record)
    if waiting:
        reporter.update("runs", len(waiting), len(waiting))
    known = store.read_many(run.id for run in plan.runs)
    records = [known[run.id] for run in plan.runs]
    hooks.finished(records)
    return records


def planned_records(plan: Plan, store: Store) -> list[Record]:
    """One record per run of the plan; ``missing`` ones for runs that have none."""
    known = store.read_many(run.id for run in plan.runs)
    nothing = Outcome({}, {}, {}, {})
    return [known.get(run.id) or _record(run, "", "missing", nothing, None) for run in plan.runs]


def execute(run: Run, folders: DataFolders, reporter: Reporter) -> Record:
    """Do one run; what it raises becomes a record of a failure, except an interrupt by the user."""
    started = _now()
    try:
        outcome = perform(run, folders, reporter)
    except Exception as error:
        return _record(run, started, "failed", Outcome({}, {}, {}, {}), _failure(error))
    return _record(run, started, "done", outcome, None)


def _failure(error: Exception) -> Failure:
    lines = "".join(traceback.format_exception(error)).splitlines()
    code = error.code if isinstance(error, HarnessError) else type(error).__name__
    message = error.headline if isinstance(error, HarnessError) else str(error).partition("\n")[0]
    return Failure(code=code, message=message, traceback="\n".join(lines[-_TRACEBACK_LINES:]))


def _record(
    run: Run, started: str, status: Literal["done", "failed", "missing"], outcome: Outcome, failure: Failure | None
) -> Record:
    loader = run.dataset.loader.id
    presets = {m.id.parameters["preset"] for m in run.methods.values() if "preset" in m.id.parameters}
    return Record(
        id=run.id,
        status=status,
        failure=failure,
        task=run.task,  # type: ignore[arg-type]  # checked when the spec was read
        protocol=resolved(run.protocol),
        protocol_id=run.protocol_id,
        dataset=DatasetRecord(
            name=run.dataset.name,
            loader=loader.name,
            parameters=dict(loader.parameters),
            fingerprint=run.dataset.fingerprint,
            counts=outcome.counts,
        ),
        methods={kind: _method(configured) for kind, configured in run.methods.items()},
        preset="+".join(sorted(presets)) or None,
        seed=run.seed,
        metrics=outcome.metrics,
        details=outcome.details,
        cost=outcome.cost,
        figures=outcome.figures,
        environment=environment(),
        started=started,
        finished=_now(),
    )


def _method(configured: Configured) -> MethodRecord:
    identity = configured.id
    return MethodRecord(
        kind=identity.kind,
        name=identity.name,
        parameters=dict(identity.parameters),
        plugin=identity.plugin,
        version=identity.version,
        digest=identity.digest,
        origin=identity.origin,
        deviations=deviations_of(type(configured.method)),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
