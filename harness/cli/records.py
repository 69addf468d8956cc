"""``harness records``: whether records are what runs left."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.help import Commands
from harness.cli.options import TARGET, AsJson, Data, Plugins, Runs
from harness.core.errors import BAD_DATA, DONE

records = typer.Typer(cls=Commands, help="Verify the records of runs.", no_args_is_help=True)


@records.callback()
def _group() -> None:
    """Keeps ``verify`` a command of its own."""


@records.command()
def verify(
    target: Annotated[str, typer.Argument(help=f"{TARGET[:-1]}, or a bundle.")] = "runs",
    recompute: Annotated[
        int, typer.Option("--recompute", metavar="COUNT", min=0, help="Run this many of the runs again, at random.")
    ] = 0,
    plugin: Plugins = None,
    data: Data = None,
    runs: Runs = None,
    run_sources: Annotated[
        bool,
        typer.Option("--run-sources", help="Load the plugin files of a bundle: code of others, run on this machine."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that records are whole and say what follows from them.

    Checksum, id, ranges of numbers, metrics from details, rankings against the ground truth where the data are there,
    costs that can be. Exit code 4: some are wrong.
    """
    import json

    from harness.bundles.checking import is_bundle, verify_bundle
    from harness.cli.display import Bars
    from harness.studies.verify_records import verify_records

    plugins = tuple(plugin or ())
    with Bars() as bars:
        if is_bundle(target):
            checks = verify_bundle(
                target, plugins=plugins, data=data, recompute=recompute, run_sources=run_sources, progress=bars
            )
        else:
            checks = verify_records(target, plugins=plugins, data=data, runs=runs, recompute=recompute, progress=bars)
    wrong = [check for check in checks if check.problem]
    if as_json:
        rows = [{"file": str(c.file), "problem": c.problem, "checked": list(c.checked)} for c in checks]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        for check in wrong:
            print(f"wrong  {check.problem}")
        rankings, again = (sum(part in check.checked for check in checks) for part in ("rankings", "run"))
        print(f"{len(checks)} records: {len(checks) - len(wrong)} OK, {len(wrong)} wrong.")
        print(f"Rankings compared with the ground truth: {rankings}. Run again: {again}.")
    raise typer.Exit(BAD_DATA if wrong else DONE)
