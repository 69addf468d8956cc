"""Gets the pending runs of a plan done and keeps a record of each."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from harness.cache.inspection import sweep_cache
from harness.core.errors import BadParameter, Errors, SpecError
from harness.core.locks import Lock
from harness.core.notebook import NotebookProgress, in_notebook
from harness.core.progress import Progress, SilentProgress
from harness.data.folders import data_folders
from harness.runs.audited import audit_runs, with_audit
from harness.runs.environment import environment
from harness.runs.executors import Executor, Job
from harness.runs.executors.choose import LOCAL, Options, make_executor
from harness.runs.identity import Run
from harness.runs.kept_ranks import store_ranks
from harness.runs.parts import describe_parts
from harness.runs.plan import Plan, make_plan
from harness.runs.planned import pending, runs_store
from harness.runs.plausibility import implausible
from harness.runs.record import Failure, Record
from harness.runs.recreate import describe, method_record
from harness.runs.shared_maps import remove_maps, with_shared_maps
from harness.runs.sinks import Sinks, open_sinks
from harness.runs.store import Store

_POLL_SECONDS: Final = 0.5
_CLAIMED_SECONDS: Final = 0.1
"""Between two looks at runs that other processes do."""


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
    device: str | None = None,
    numerics: str | None = None,
) -> list[Record]:
    """Do a comparison and return the records of all its runs, in the order of the plan.

    Completed runs are skipped. A run that fails leaves a record that says so; the others go on.

    Args:
        spec: path of a YAML spec, or the same as a mapping. In a mapping, classes and instances may stand where a spec
            names methods, ``methods: {pooling: [MyPooling(p=3), "gem"]}``; they are identified by their source, and
            their runs are done in this process.
        plugins: files or modules with methods, besides the installed ones.
        add: ``KIND=NAME``: methods that join the alternatives of the spec.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        cache: folder of what can be made again (default ``$HARNESS_CACHE``).
        runs: folder of the records (default ``runs`` beside the spec).
        progress: told how far the work is (default: bars in a notebook, elsewhere nothing).
        retry_failed: do failed runs again.
        sinks: names of sinks that get the records, ``mlflow``.
        catalogues: files with datasets of the user, besides ``datasets.yaml`` beside the spec.
        options: where runs are done, how many at once, with which limits (default: in this process).
        device: in place of that of the spec, ``auto``, ``cpu`` or ``cuda``.
        numerics: likewise, ``fp32``, ``tf32`` or ``bf16``.

    Raises:
        Errors: mistakes in the spec, all at once; nothing was run.
        BadParameter: an argument is of another type.
    """
    _require_arguments(plugins=plugins, add=add, sinks=sinks, catalogues=catalogues)
    if options is not None and not isinstance(options, Options):
        fix = "options=Options(workers=4), with Options of harness.runs.executors.choose"
        raise BadParameter(f"options is {options!r} and no Options", fix=fix)
    plan = make_plan(
        spec,
        data_folders(data, cache),
        plugins=plugins,
        add=add,
        catalogues=catalogues,
        device=device,
        numerics=numerics,
    )
    opened = open_sinks(plan.registry, sinks)
    store = runs_store(plan, runs)
    progress = progress or (NotebookProgress() if in_notebook() else None)
    return run_plan(plan, store, progress=progress, options=options, retry_failed=retry_failed, sinks=opened)


def _require_arguments(**arguments: object) -> None:
    """Raise ``BadParameter`` for what is no tuple or list of texts: of one text each letter would be taken for one."""
    for name, given in arguments.items():
        if isinstance(given, str | Path):
            raise BadParameter(f'{name} is "{given}", one text in place of several', fix=f'{name}=("{given}",)')
        if not isinstance(given, tuple | list):
            raise BadParameter(f"{name} is {given!r} and no tuple", fix=f'{name}=("...",)')
        for item in given:
            if not isinstance(item, str | Path):
                fix = "give texts; classes and instances stand in the spec, methods={KIND: [...]}"
                raise BadParameter(f"{name} holds {item!r}", fix=fix)


def run_plan(
    plan: Plan,
    store: Store,
    *,
    progress: Progress | None = None,
    options: Options | None = None,
    retry_failed: bool = False,
    finished: Callable[[Run, Record], None] = lambda run, record: None,
    sinks: Sinks | None = None,
) -> list[Record]:
    """Do what is pending; ``finished`` is called after each run that was done here.

    Other processes may work on the same records: each run is done by one of them. Returns all records in the order of
    the plan.

    Raises:
        Errors: the plan is incomplete, or an audit finds an error in the data; nothing was run.
        SpecError: the executor cannot begin.
        FileUnusable: a record cannot be written.
    """
    if plan.missing:
        raise Errors(plan.missing)
    progress, options, sinks = progress or SilentProgress(), options or Options(), sinks or Sinks()
    store.sweep()
    # Nothing is pooled for runs that are done; and what a run may take is for itself.
    limited = options.seconds is not None or options.memory_bytes is not None
    runs = with_shared_maps(pending(plan, store, retry_failed=retry_failed), jointly=not limited)
    if options.shards and any(run.task != "retrieval" for run in runs):
        raise SpecError("runs of active learning have no shards", fix="leave out --shards")
    if runs:
        progress.update("runs", 0, len(runs))  # says at once that work begins: audits and descriptions take long
        audits = audit_runs(runs, plan.folders)
        executor = make_executor(options.of_whole_runs, plan, runs, progress)
        before = store.read_many(run.id for run in runs)  # descriptions take long: others may do runs meanwhile
        scheduler = _Scheduler(plan, store, executor, options, progress, finished, sinks, audits, before)
        if options.shards:
            of_parts = make_executor(options, plan, runs, progress)
            describe_parts(runs, scheduler.job, of_parts, options.shards, progress)
        scheduler.do(runs)
        store.sweep()
    sweep_cache(plan.folders.cache)
    by_id = store.read_many(run.id for run in plan.runs)
    records = [by_id[run.id] for run in plan.runs]
    remove_maps([*plan.runs, *runs], plan.folders.cache)
    sinks.finished(records)
    return records


@dataclass
class _Scheduler:
    """Hands pending runs to the executor and writes their records; a lock on each run keeps other processes off it."""

    plan: Plan
    store: Store
    executor: Executor
    options: Options
    progress: Progress
    finished: Callable[[Run, Record], None]
    sinks: Sinks
    audits: Mapping[str, tuple[str, ...]]
    """What the audit warns of, by fingerprint of the data."""
    before: Mapping[str, Record]
    """Records of these runs that were there when this process looked first."""
    _pending: deque[Run] = field(default_factory=deque)
    _running: dict[str, tuple[Run, Lock]] = field(default_factory=dict)
    _claimed: list[Run] = field(default_factory=list)
    """Runs that another process does."""

    def do(self, runs: Sequence[Run]) -> None:
        """Get all of them done; ends early, with nothing left under way, by an error or an interrupt."""
        self._pending.extend(runs)
        try:
            while left := len(self._pending) + len(self._running) + len(self._claimed):
                self.progress.update("runs", len(runs) - left, len(runs))
                self._submit()
                self._collect()
            self.progress.update("runs", len(runs), len(runs))
        finally:
            self.executor.close()
            for _, held in self._running.values():
                held.release()

    def _submit(self) -> None:
        """Give the executor what it takes. A run that another process does waits for that process."""
        if not self._pending:
            self._pending.extend(self._claimed)
            self._claimed.clear()
        while self._pending and len(self._running) < self.executor.slots:
            run = self._pending.popleft()
            held = self.store.claim(run.id)
            if held is None:
                self._claimed.append(run)
            elif self._done_by_another(run):
                held.release()
            else:
                self._running[run.id] = (run, held)
                self.sinks.run_started(run)
                self.executor.submit(replace(run, sharding=self.options.sharding), self.job(run))

    def _collect(self) -> None:
        if not self._running:
            time.sleep(_CLAIMED_SECONDS if self._claimed else 0)
            return
        for result in self.executor.finished(_POLL_SECONDS):
            run, held = self._running[result.record.id]
            for text in result.warnings:
                warnings.warn(text, stacklevel=2)
            record = with_audit(_plausible(result.record), self.audits)
            self.store.write(record)
            if run.stores_ranks:
                store_ranks(record, self.plan.folders, self.store)
            del self._running[run.id]
            held.release()
            self.finished(run, record)
            self.sinks.run_finished(record)

    def _done_by_another(self, run: Run) -> bool:
        """Whether there is a record now that was not there when this process looked first."""
        record = self.store.read_many([run.id]).get(run.id)
        return record is not None and record != self.before.get(run.id)

    def job(self, run: Run) -> Job:
        """What an executor is told of a run."""
        methods = [*run.methods.values(), run.dataset.loader]
        built_in = all(method.built_in for method in methods)
        limits = self.options.limits
        return Job(
            description=describe(run),
            label=run.label,
            plugins=() if built_in else self.plan.plugins,
            folders=self.plan.folders,
            places=self.plan.spec.places(self.plan.folders),
            limits=limits,
            foreign=not built_in,
            may_share=built_in and limits.memory_bytes is None,
            contended=self.executor.contended,
            shares_maps=run.shares_maps,
            joint_poolings=tuple(map(method_record, run.joint_poolings)),
            keep_ranks=run.keep_ranks,
            surroundings=environment() if self.options.of_whole_runs.executor in LOCAL else None,
            sharding=self.options.sharding,
        )


def _plausible(record: Record) -> Record:
    """The record, or that of a failure where it says what cannot be: whoever made it, it would be refused when read."""
    reason = implausible(record)
    if not reason:
        return record
    failure = Failure(code="Implausible", message=f"the run reports what cannot be: {reason}", traceback="")
    nothing: dict[str, Any] = {"metrics": {}, "details": {}, "cost": {}, "figures": {}}
    return record.model_copy(update={**nothing, "status": "failed", "failure": failure})
