"""A plan beside the records that are there. Boards need no more of a plan: what runs it is slow to import."""

from __future__ import annotations

from pathlib import Path

from harness.runs.identity import Run
from harness.runs.plan import Plan
from harness.runs.record import Record
from harness.runs.recreate import describe
from harness.runs.store import Store


def runs_store(plan: Plan, folder: str | Path | None = None) -> Store:
    """The store of a plan's records: ``folder``, or ``runs`` beside the spec."""
    return Store(Path(folder) if folder else plan.spec.folder / "runs")


def pending(plan: Plan, store: Store, *, retry_failed: bool = False) -> list[Run]:
    """The runs that have no record or not the ranks to be kept (or, with ``retry_failed``, a record of a failure)."""
    records = store.read_many(run.id for run in plan.runs)

    def is_pending(run: Run) -> bool:
        record = records.get(run.id)
        if record is None or (retry_failed and record.status == "failed"):
            return True
        return run.stores_ranks and record.status == "done" and not store.keeps_ranks(record, run.keep_ranks)

    return [run for run in plan.runs if is_pending(run)]


def planned_records(plan: Plan, store: Store) -> list[Record]:
    """One record per run of the plan; ``missing`` ones for runs that have none."""
    records = store.read_many(run.id for run in plan.runs)
    return [records.get(run.id) or describe(run, sources=False) for run in plan.runs]
