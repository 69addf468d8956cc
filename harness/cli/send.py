"""``harness send``: records that are there to reporters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def send(
    records: Annotated[Path, typer.Argument(help="A folder of records, or one record.", show_default=False)],
    to: Annotated[list[str], typer.Option("--to", help="Name of a reporter, such as mlflow; may be repeated.")],
    plugin: Annotated[list[str] | None, typer.Option("--plugin", help="File or module with reporters.")] = None,
) -> None:
    """Send records that are there to reporters, such as mlflow.

    As harness run --report does with new ones.
    """
    from harness.core.errors import BROKEN_PLUGIN, DONE
    from harness.registry import load_registry
    from harness.runs.sinks import send as send_records
    from harness.runs.store import read_records

    found = read_records(records)
    failed = send_records(found, load_registry(plugin or ()), to)
    if failed:
        raise typer.Exit(BROKEN_PLUGIN)
    print(f"{len(found)} records sent to {', '.join(to)}.")
    raise typer.Exit(DONE)
