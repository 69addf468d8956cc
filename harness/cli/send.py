"""``harness send``: sends records to sinks, such as MLflow."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import Cache, Catalogues, Data, Plugins, Runs, Target


def send(
    target: Target,
    to: Annotated[list[str], typer.Option("--to", help="Name of a sink, such as mlflow; may be repeated.")],
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
    runs: Runs = None,
) -> None:
    """Send records to sinks, such as mlflow.

    As harness run --report does with new ones.
    """
    from harness.core.errors import BROKEN_PLUGIN, DONE
    from harness.registry import load_registry
    from harness.runs.sinks import send as send_records
    from harness.runs.targets import Resolver

    resolver = Resolver(tuple(plugin or ()), data, cache, runs, catalogues=tuple(catalogue or ()))
    records = resolver.results(target).require_records(written=True)
    failed = send_records(records, load_registry(plugin or ()), to)
    if failed:
        raise typer.Exit(BROKEN_PLUGIN)
    print(f"{len(records)} records sent to {', '.join(to)}.")
    raise typer.Exit(DONE)
