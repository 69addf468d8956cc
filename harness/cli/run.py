"""``harness run``: executes the runs of a spec."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.listing import warn_of_plugins
from harness.cli.options import Add, Cache, Catalogues, Data, Device, Numerics, Plugins, Runs, Spec, StrictPlugins
from harness.core.errors import DONE, SOME_FAILED, Errors, SpecError
from harness.core.text import counted

if TYPE_CHECKING:
    from harness.runs.executors.choose import Options
    from harness.runs.plan import Plan
    from harness.runs.record import Record
    from harness.runs.sinks import Sinks
    from harness.runs.store import Store

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
Shards = Annotated[
    int, typer.Option("--shards", min=0, help="Describe and search the database of a run in so many jobs [0: whole].")
]
Report = Annotated[
    list[str] | None, typer.Option("--report", help="Sink that gets each record, such as mlflow; may be repeated.")
]
UntilDecided = Annotated[
    bool, typer.Option("--until-decided", help="Add seeds only where a comparison with the baseline is open.")
]
Smallest = Annotated[
    float | None,
    typer.Option("--smallest-difference", help="Points below which two methods count as equal.", show_default=False),
]
MaxSeeds = Annotated[int, typer.Option("--max-seeds", help="With --until-decided: most seeds of a method.")]
AllPairs = Annotated[bool, typer.Option("--all-pairs", help="With --until-decided: compare every two methods.")]


def run(
    spec: Spec,
    plugin: Plugins = None,
    add: Add = None,
    device: Device = None,
    numerics: Numerics = None,
    data: Data = None,
    cache: Cache = None,
    runs: Runs = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="With --dry-run: measure time and memory on a few images.")
    ] = False,
    until_decided: UntilDecided = False,
    smallest_difference: Smallest = None,
    max_seeds: MaxSeeds = 20,
    all_pairs: AllPairs = False,
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
    shards: Shards = 0,
) -> None:
    """Run the comparison that a spec describes. Completed runs are skipped."""
    from harness.cli.display import leaderboard_command, print_plan
    from harness.data.folders import data_folders
    from harness.runs.decidable import decidable_lines
    from harness.runs.estimate import estimate
    from harness.runs.plan import make_plan
    from harness.runs.planned import pending, runs_store
    from harness.runs.probe import probe as measure
    from harness.runs.sinks import open_sinks

    folders = data_folders(data, cache)
    options = _executor_options(executor, workers, timeout, memory, threads, scheduler, slurm, shards)
    plan = make_plan(
        spec,
        folders,
        plugins=tuple(plugin or ()),
        add=tuple(add or ()),
        strict=strict_plugins,
        incomplete=dry_run,
        device=device,
        numerics=numerics,
        catalogues=tuple(catalogue or ()),
    )
    plan = _with_smallest(plan, smallest_difference)
    warn_of_plugins(plan.registry)
    execution = _Execution(options, open_sinks(plan.registry, report or ()), runs_store(plan, runs))
    if dry_run:
        waiting = pending(plan, execution.store, retry_failed=retry_failed)
        print_plan(plan, {run.id for run in waiting})
        complete = [run for run in waiting if not run.incomplete]
        probed = measure(plan, complete, str(spec), tuple(catalogue or ()), tuple(add or ())) if probe else {}
        print("\n".join(estimate(plan, execution.store, complete, probed).lines()))
        print("\n".join(decidable_lines(plan, execution.store)))
        if plan.missing:
            raise Errors(plan.missing)
        return
    if until_decided:
        failed = _until_decided(plan, execution, max_seeds, all_pairs=all_pairs)
    else:
        failed = execution.summary(plan, execution.perform(plan, retry_failed=retry_failed))
    shown = leaderboard_command(
        spec, plugin=plugin, add=add, device=device, numerics=numerics, data=data, runs=runs, catalogue=catalogue
    )
    print(f"Records: {execution.store.folder}. Leaderboard: {shown}")
    raise typer.Exit(SOME_FAILED if failed else DONE)


def _with_smallest(plan: Plan, smallest: float | None) -> Plan:
    """The plan with the smallest difference of the command line. Raises ``SpecError``."""
    if smallest is None:
        return plan
    if not (math.isfinite(smallest) and smallest > 0):
        raise SpecError(f"--smallest-difference {smallest:g} is no number above 0", fix="give points, 1.5")
    design = replace(plan.spec.design, smallest_difference=smallest)
    return replace(plan, spec=replace(plan.spec, design=design))


@dataclass
class _Execution:
    """Does the runs of plans and shows them."""

    options: Options
    sinks: Sinks
    store: Store
    executed: set[str] = field(default_factory=set)

    def perform(self, plan: Plan, *, retry_failed: bool) -> list[Record]:
        """Do what is pending of a plan, with bars."""
        from harness.cli.display import Bars
        from harness.runs.runner import run_plan

        with Bars(self.store.folder) as bars:

            def finished(run: Any, record: Any) -> None:
                self.executed.add(run.id)
                bars.finished(run, record)

            return run_plan(
                plan,
                self.store,
                progress=bars,
                options=self.options,
                retry_failed=retry_failed,
                finished=finished,
                sinks=self.sinks,
            )

    def summary(self, plan: Plan, records: Sequence[Record]) -> bool:
        """Print what was done; whether any run failed."""
        from harness.cli.display import print_failures

        failed = [(run, record) for run, record in zip(plan.runs, records, strict=True) if record.status == "failed"]
        print_failures(failed, self.executed)
        skipped = len(plan.runs) - len(self.executed)
        print(f"{counted(len(self.executed), 'run')} executed, {skipped} skipped (already done), {len(failed)} failed.")
        return bool(failed)


def _until_decided(plan: Plan, execution: _Execution, most: int, *, all_pairs: bool) -> bool:
    """Add seeds until all comparisons are decided; whether any run failed."""
    from harness.runs.plan import with_seeds
    from harness.runs.rules import begin
    from harness.runs.until_decided import make_rule, report_lines, until_decided

    rule = make_rule(plan, most, all_pairs=all_pairs)
    notes = begin(rule, execution.store.folder)
    whole = with_seeds(plan, rule.seeds)
    stand = until_decided(whole, execution.store, rule, execution.perform)
    print("\n".join([*notes, *report_lines(stand, execution.store, rule.measure)]))
    records = execution.store.read_many(run.id for run in whole.runs)
    failed = sum(record.status == "failed" for record in records.values())
    print(
        f"{counted(len(execution.executed), 'run')} executed, {len(whole.runs) - len(records)} saved, {failed} failed."
    )
    return failed > 0


def _executor_options(
    executor: str,
    workers: int,
    timeout: float | None,
    memory: str | None,
    threads: int,
    scheduler: str | None,
    slurm: Sequence[str] | None,
    shards: int,
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
        shards=shards,
    )
