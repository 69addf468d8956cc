"""The commands. Each is one call of the Python API; what is slow to import is imported inside."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import harness
from harness.cli.agreement import agreement
from harness.cli.cache import cache as caches
from harness.cli.check import check
from harness.cli.compare import compare, gate
from harness.cli.datasets import datasets
from harness.cli.help import Commands
from harness.cli.new import new
from harness.cli.options import (
    Add,
    AnyKind,
    AsJson,
    Cache,
    Catalogues,
    Data,
    Method,
    Out,
    Plots,
    Plugins,
    Runs,
    Spec,
    StrictPlugins,
    Target,
)
from harness.cli.page import page
from harness.cli.reproduce import reproduce
from harness.cli.running import How, Memory, Scheduler, Slurm, Threads, Timeout, Workers, run_options
from harness.cli.send import send
from harness.cli.train import train
from harness.cli.view import view
from harness.core.errors import DONE, EXIT_CODES, SOME_FAILED, Errors
from harness.plugin_api import KINDS
from harness.registry import Registry, load_registry

if TYPE_CHECKING:
    from harness.runs.results import Results

app = typer.Typer(
    name="harness",
    cls=Commands,
    help=(
        "Benchmarks for deep active learning and instance image retrieval: say what to compare in a spec, harness run "
        "measures it, harness leaderboard shows it. Exit codes: "
        + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
        + "."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (agreement, check, compare, gate, new, page, reproduce, send):
    app.command()(command)
for name, group in (("cache", caches), ("datasets", datasets), ("train", train), ("view", view)):
    app.add_typer(group, name=name)


def _version(asked: bool) -> None:
    if asked:
        print(f"harness {harness.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options of ``harness`` itself; ``app`` has their help."""


Report = Annotated[
    list[str] | None, typer.Option("--report", help="Sink that gets each record, such as mlflow; may be repeated.")
]


@app.command()
def run(
    spec: Spec,
    plugin: Plugins = None,
    add: Add = None,
    data: Data = None,
    cache: Cache = None,
    runs: Runs = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
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
    from harness.runs.runner import pending, run_plan, runs_store
    from harness.runs.sinks import open_sinks

    folders = data_folders(data, cache)
    options = run_options(executor, workers, timeout, memory, threads, scheduler, slurm)
    plan = make_plan(
        spec,
        folders,
        plugins=tuple(plugin or ()),
        add=tuple(add or ()),
        strict=strict_plugins,
        incomplete=dry_run,
        catalogues=tuple(catalogue or ()),
    )
    _report_broken(plan.registry)
    sinks = open_sinks(plan.registry, report or ())
    store = runs_store(plan, runs)
    waiting = pending(plan, store, retry_failed=retry_failed)
    if dry_run:
        print_plan(plan, {run.id for run in waiting})
        print("\n".join(estimate(plan, store, [run for run in waiting if not run.incomplete]).lines()))
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


@app.command()
def leaderboard(
    target: Target,
    plugin: Plugins = None,
    add: Add = None,
    data: Data = None,
    cache: Cache = None,
    runs: Runs = None,
    catalogue: Catalogues = None,
    format: Annotated[str, typer.Option("--format", help="markdown, html, latex, csv or json.")] = "markdown",
    out: Out = None,
    plots: Plots = None,
    png: Annotated[bool, typer.Option("--png", help="With --plots: draw PNG too.")] = False,
    difference: Annotated[
        tuple[str, str] | None,
        typer.Option("--difference", metavar="A B", help="Two rows against each other, query by query."),
    ] = None,
    cost: Annotated[bool, typer.Option("--cost/--no-cost", help="Show time and memory.")] = True,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference", help="Published numbers [default: reference.yaml beside the spec].", show_default=False
        ),
    ] = None,
) -> None:
    """Print the leaderboard of a spec or of records, beside published numbers if there are any."""
    from harness.boards import boards_of, read_reference
    from harness.boards import leaderboard as make_leaderboard
    from harness.boards.comparison.pairs import differences, render_differences
    from harness.boards.plots import difference_plots
    from harness.boards.plots import plots as draw
    from harness.core.files import write_atomically
    from harness.runs.targets import find_results

    with _no_search_for_cycles():
        results = find_results(
            target,
            plugins=tuple(plugin or ()),
            add=tuple(add or ()),
            data=data,
            cache=cache,
            runs=runs,
            catalogues=tuple(catalogue or ()),
            ranks=False,
        )
    _warn_of(results)
    if not results.boards:
        results.require_records()
    beside = reference or results.reference
    published = read_reference(beside) if beside else None
    images = ("svg", "png") if png else ("svg",)
    pictures: dict[str, bytes] = {}
    if difference is not None:
        found = differences(boards_of(results, cost=False), *difference)
        text = render_differences(found, format)
        pictures = difference_plots(found, images) if plots is not None else {}
    else:
        with _no_search_for_cycles():
            text = make_leaderboard(
                results,
                format=format,
                title=results.title,
                description=results.description,
                cost=cost,
                reference=published,
            )
        pictures = draw(boards_of(results, cost=cost), images) if plots is not None else {}
    if out is not None:
        write_atomically(out, text.encode())
    for name, picture in pictures.items():
        write_atomically((plots or Path()) / name, picture)
    print(text, end="")


@app.command()
def methods(
    kind: AnyKind = None,
    name: Method = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
    strict_plugins: StrictPlugins = False,
) -> None:
    """List the methods, or show one with its parameters and source."""
    from harness.cli.listing import method_card, method_list

    registry = load_registry(plugin or (), strict=strict_plugins)
    _report_broken(registry)
    kinds = [kind] if kind else list(KINDS)
    print(method_card(registry.entry(kinds[0], name), as_json) if name else method_list(registry, kinds, as_json))


@app.command()
def doctor(plugin: Plugins = None, data: Data = None, cache: Cache = None, as_json: AsJson = False) -> None:
    """Show versions, threads, GPU, and where data and cache live."""
    from harness.cli.listing import doctor_report

    registry = load_registry(plugin or ())
    print(doctor_report(registry, data, cache, as_json))


def _warn_of(results: Results) -> None:
    """Name what a spec still needs, and plugins that were not loaded, on standard error."""
    for line in results.plugin_warnings:
        print(line, file=sys.stderr)
    for missing in results.missing:
        print(str(missing).replace("error[", "missing[", 1), file=sys.stderr)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Looking for cycles among the numbers of 10,000 records, where there are none, takes a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _report_broken(registry: Registry) -> None:
    for line in (*registry.broken, *registry.outdated):
        print(line, file=sys.stderr)
