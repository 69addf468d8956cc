"""Has the runs of a plan that have no record yet done, and keeps a record of each."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harness.core.errors import Errors
from harness.core.locks import Lock
from harness.core.progress import Progress, SilentProgress
from harness.data.folders import data_folders
from harness.runs.environment import environment
from harness.runs.executors import Executor, Job
from harness.runs.executors.choose import LOCAL, Options, make_executor
from harness.runs.plan import Plan, Run, make_plan
from harness.runs.record import Record
from harness.runs.single import describe
from harness.runs.sinks import Sinks, open_sinks
from harness.runs.store import Store

_POLL_SECONDS: Final = 0.5
_ELSEWHERE_SECONDS: Final = 0.1
_BUILT_IN: Final = "vision-evaluation-harness"


def run(
    spec: str | Path | Mapping[str, Any],
    *,
    plugins: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
    data: str | Path | None = None,
    cache: str | Path | None = None,
    runs: str | Path | None = None,
    progress: Progress | None = None,
    retry_failed: bool = False,
    sinks: tuple[str, ...] = (),
    catalogues: tuple[Path, ...] = (),
    options: Options | None = None,
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
        progress: told how far the work is.
        retry_failed: do failed runs again.
        sinks: names of sinks that get the records, ``mlflow``.
        catalogues: files with datasets of the user, besides ``datasets.yaml`` beside the spec.
        options: where runs are done, how many at once, with which limits (default: in this process).

    Raises:
        Errors: mistakes in the spec, all at once; nothing was run.
    """
    plan = make_plan(spec, data_folders(data, cache), plugins=plugins, add=add, catalogues=catalogues)
    hooks = open_sinks(plan.registry, sinks)
    store = runs_store(plan, runs)
    return run_plan(
        plan, store, progress=progress or SilentProgress(), options=options, retry_failed=retry_failed, hooks=hooks
    )


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
    progress: Progress,
    options: Options | None = None,
    retry_failed: bool = False,
    finished: Callable[[Run, Record], None] = lambda run, record: None,
    hooks: Sinks | None = None,
) -> list[Record]:
    """Do what is pending; ``finished`` is called after each run that was done here.

    Other processes may work on the same records: each run is done by one of them. Returns all records in the order of
    the plan.

    Raises:
        Errors: the plan is incomplete; nothing was run.
        SpecError: the executor cannot begin.
        HarnessError: a record cannot be written.
    """
    if plan.missing:
        raise Errors(plan.missing)
    hooks = hooks or Sinks()
    store.sweep()
    waiting = pending(plan, store, retry_failed=retry_failed)
    if waiting:
        options = options or Options()
        executor = make_executor(options, plan, waiting, progress)
        _Work(plan, store, executor, options, progress, finished, hooks).do(waiting)
        store.sweep()
    known = store.read_many(run.id for run in plan.runs)
    records = [known[run.id] for run in plan.runs]
    hooks.finished(records)
    return records


def planned_records(plan: Plan, store: Store) -> list[Record]:
    """One record per run of the plan; ``missing`` ones for runs that have none."""
    known = store.read_many(run.id for run in plan.runs)
    return [known.get(run.id) or describe(run) for run in plan.runs]


class _Work:
    """The runs that wait, those under way with the locks that keep other processes off, and those done elsewhere."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        executor: Executor,
        options: Options,
        progress: Progress,
        finished: Callable[[Run, Record], None],
        hooks: Sinks,
    ) -> None:
        self._plan, self._store, self._executor, self._options = plan, store, executor, options
        self._progress, self._finished, self._hooks = progress, finished, hooks
        self._todo: deque[Run] = deque()
        self._running: dict[str, tuple[Run, Lock]] = {}
        self._elsewhere: list[Run] = []
        self._before: dict[str, Record] = {}

    def do(self, waiting: Sequence[Run]) -> None:
        """Have all of them done; ends early, with nothing left under way, by an error or an interrupt."""
        self._todo.extend(waiting)
        self._before = self._store.read_many(run.id for run in waiting)
        try:
            while self._todo or self._running or self._elsewhere:
                left = len(self._todo) + len(self._running) + len(self._elsewhere)
                self._progress.update("runs", len(waiting) - left, len(waiting))
                self._submit()
                self._collect()
            self._progress.update("runs", len(waiting), len(waiting))
        finally:
            self._executor.close()
            for _, held in self._running.values():
                held.release()

    def _submit(self) -> None:
        """Give the executor what it takes. A run that another process does waits for that process."""
        if not self._todo:
            self._todo.extend(self._elsewhere)
            self._elsewhere.clear()
        while self._todo and len(self._running) < self._executor.slots:
            run = self._todo.popleft()
            held = self._store.claim(run.id)
            if held is None:
                self._elsewhere.append(run)
            elif self._done_elsewhere(run):
                held.release()
            else:
                self._running[run.id] = (run, held)
                self._hooks.run_started(run)
                self._executor.submit(run, self._job(run))

    def _collect(self) -> None:
        if not self._running:
            time.sleep(_ELSEWHERE_SECONDS if self._elsewhere else 0)
            return
        for result in self._executor.finished(_POLL_SECONDS):
            run, held = self._running[result.record.id]
            for text in result.warnings:
                warnings.warn(text, stacklevel=2)
            self._store.write(result.record)
            del self._running[run.id]
            held.release()
            self._finished(run, result.record)
            self._hooks.run_finished(result.record)

    def _done_elsewhere(self, run: Run) -> bool:
        """Whether there is a record now that was not there when this process looked first."""
        record = self._store.read_many([run.id]).get(run.id)
        return record is not None and record != self._before.get(run.id)

    def _job(self, run: Run) -> Job:
        local, limits = self._options.executor in LOCAL, self._options.limits
        methods = [*run.methods.values(), run.dataset.loader]
        built_in = all(method.id.plugin == _BUILT_IN for method in methods)
        return Job(
            description=describe(run),
            label=run.label,
            plugins=() if built_in else self._plan.plugins,
            folders=self._plan.folders,
            limits=limits,
            may_share=built_in and limits.memory_bytes is None,
            contended=self._executor.contended,
            surroundings=environment() if local else None,
        )
