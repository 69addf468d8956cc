"""``harness send``: records that are there to reporters."""

from __future__ import annotations

from typing import Annotated

import typer


def send(
    target: Annotated[str, typer.Argument(help="A spec, a folder of records, or one record.", show_default=False)],
    to: Annotated[list[str], typer.Option("--to", help="Name of a reporter, such as mlflow; may be repeated.")],
    plugin: Annotated[list[str] | None, typer.Option("--plugin", help="File or module with reporters.")] = None,
) -> None:
    """Send records that are there to reporters, such as mlflow.

    As harness run --report does with new ones.
    """
    from harness.core.errors import BROKEN_PLUGIN, DONE
    from harness.registry import load_registry
    from harness.runs.sinks import send as send_records
    from harness.runs.targets import find_results

    records = find_results(target, plugins=tuple(plugin or ())).require_records(written=True)
    failed = send_records(records, load_registry(plugin or ()), to)
    if failed:
        raise typer.Exit(BROKEN_PLUGIN)
    print(f"{len(records)} records sent to {', '.join(to)}.")
    raise typer.Exit(DONE)
