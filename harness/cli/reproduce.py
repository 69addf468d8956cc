"""``harness reproduce``: runs a record's run again and compares the results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import AsJson, Data, Plugins, tolerances


def reproduce(
    record: Annotated[str, typer.Argument(help="The .json file of a run, or COMMIT:PATH of it.", show_default=False)],
    tolerance: Annotated[list[str] | None, tolerances("Points that may differ", default="not a digit")] = None,
    plugin: Plugins = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder that gets the new record.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a recorded run again and compare the results.

    Nothing is taken from the cache.
    """
    from harness.cli.display import Bars
    from harness.core.errors import DONE, REGRESSION
    from harness.runs.tolerances import parse_tolerances
    from harness.studies.reproduce import reproduce as reproduce_record
    from harness.studies.reproduction_report import render_reproduction

    accepted = parse_tolerances(tolerance or ())
    with Bars() as bars:
        reproduction = reproduce_record(
            record, plugins=plugin or (), data=data, out=out, tolerance=accepted, progress=bars
        )
    print(render_reproduction(reproduction, "json" if as_json else "text"))
    raise typer.Exit(DONE if reproduction.same else REGRESSION)
