"""``harness run``: executes the runs of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.listing import warn_of_plugins
from harness.cli.options import Add, Cache, Catalogues, Data, Plugins, Runs, Spec, StrictPlugins
from harness.core.errors import DONE, SOME_FAILED, Errors, SpecError

if TYPE_CHECKING:
    from harness.runs.executors.choose import Options

How = Annotated[str, typer.Option("--executor", help="processes (isolated), inline (in this process), dask or slurm.")]
Workers = Annotated[int, typer.Option("--workers", help="Runs at once; the cores are divided among them.")]
Timeout = Annotated[float | None, typer.Option("--timeout", help="Seconds after which a run is ended.")]
Memory = Annotated[str | None, typer.Option("--memory", help="Memory above which a run is ended: 800M, 16G.")]
Threads = Annotated[int, typer.Option("--threads", help="Threads of one run [default: cores / workers].")]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Run on the Dask scheduler at this address, tcp://HOST:PORT.")
]
Slurm = Annotated[
    list[str] | None, typer.Option("--slurm", help="KEY=VALUE for submitit, slurm_partition=gpu; may be repeated.")
]
Report = Annotated[
    list[str] | None, typer.Option("--report", help="Sink that gets each record, such as mlflow; may be repeated.")
]


def run(
    spec: Spec,
    plugin: Plugins = None,
    add: Add = None,
    data: Data = None,
    cache: Cache = None,
    runs: Runs = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="With --dry-run: measure time and memory on a few images.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed runs again.")] = False,
    report: Report = None,
    catalogue: Catalogues = None,
    strict_plugins: StrictPlugins = False,
    executor: How = "processes",
    workers: Workers = 1,
    timeout: Timeout = None,
    memory: Memory = None,
    threads: Threads = 0,
    scheduler: Scheduler = None,
    slurm: Slurm = None,
) -> None:
    """Run the comparison that a spec describes. Completed runs are skipped."""
    from harness.cli.display import Bars, print_failures, print_plan
    from harness.data.folders import data_folders
    from harness.runs.estimate import estimate
    from harness.runs.plan import make_plan
    from harness.runs.probe import probe as measure
    from harness.runs.runner import pending, run_plan, runs_store
    from harness.runs.sinks import open_sinks

    folders = data_folders(data, cache)
    options = _executor_options(executor, workers, timeout, memory, threads, scheduler, slurm)
    plan = make_plan(
        spec,
        folders,
        plugins=tuple(plugin or ()),
        add=tuple(add or ()),
        strict=strict_plugins,
        incomplete=dry_run,
        catalogues=tuple(catalogue or ()),
    )
    warn_of_plugins(plan.registry)
    sinks = open_sinks(plan.registry, report or ())
    store = runs_store(plan, runs)
    waiting = pending(plan, store, retry_failed=retry_failed)
    if dry_run:
        print_plan(plan, {run.id for run in waiting})
        complete = [run for run in waiting if not run.incomplete]
        probed = measure(plan, complete, str(spec), tuple(catalogue or ()), tuple(add or ())) if probe else {}
        print("\n".join(estimate(plan, store, complete, probed).lines()))
        if plan.missing:
            raise Errors(plan.missing)
        return
    executed: set[str] = set()
    with Bars() as bars:

        def finished(run: Any, record: Any) -> None:
            executed.add(run.id)
            bars.finished(run, record)

        records = run_plan(
            plan,
            store,
            progress=bars,
            options=options,
            retry_failed=retry_failed,
            finished=finished,
            sinks=sinks,
        )
    failed = [(run, record) for run, record in zip(plan.runs, records, strict=True) if record.status == "failed"]
    print_failures(failed, executed)
    skipped = len(plan.runs) - len(executed)
    print(f"{len(executed)} runs executed, {skipped} skipped (already done), {len(failed)} failed.")
    print(f"Records: {store.folder}. Leaderboard: harness leaderboard {spec}")
    raise typer.Exit(SOME_FAILED if failed else DONE)


def _executor_options(
    executor: str,
    workers: int,
    timeout: float | None,
    memory: str | None,
    threads: int,
    scheduler: str | None,
    slurm: Sequence[str] | None,
) -> Options:
    """The options as the Python API takes them. Raises ``SpecError``."""
    from harness.cache import parse_size
    from harness.runs.executors.choose import DASK, SLURM, Options

    pairs = []
    for text in slurm or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SpecError(f'--slurm "{text}" is no setting', fix="write KEY=VALUE, slurm_partition=gpu")
        pairs.append((key, value))
    chosen = DASK if scheduler else SLURM if pairs else executor
    return Options(
        executor=chosen,
        workers=workers,
        seconds=timeout,
        memory_bytes=parse_size(memory) if memory else None,
        threads=threads,
        scheduler=scheduler,
        slurm=tuple(pairs),
    )
