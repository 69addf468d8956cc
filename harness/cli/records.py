"""``harness records``: whether records are what runs left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.help import Commands
from harness.cli.options import TARGET, AsJson, Data, Plugins, Runs
from harness.core.errors import BAD_DATA, DONE, BadParameter

records = typer.Typer(cls=Commands, help="Verify the records of runs.", no_args_is_help=True)


@records.callback()
def _group() -> None:
    """Keeps ``verify`` a command of its own."""


@records.command()
def verify(
    targets: Annotated[
        list[str] | None, typer.Argument(help=f"{TARGET[:-1]}, or a bundle [default: runs].", show_default=False)
    ] = None,
    recompute: Annotated[
        str,
        typer.Option("--recompute", metavar="COUNT|SHARE%", help="Run so many of the runs, 3 or 5%, again, at random."),
    ] = "0",
    seed: Annotated[
        str | None, typer.Option("--seed", help="Of the draw [default: another each time].", show_default=False)
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            "--tolerance",
            help="Points by which a run may differ, also of one metric; may be repeated [default: by nothing].",
            show_default=False,
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option("--log", help="Add the runs that gave the same result to this file.", show_default=False),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who runs them again, for the log.", show_default=False)
    ] = "",
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
    from harness.runs.tolerances import parse_tolerances
    from harness.studies.verify_records import verify_records

    if log is not None and not by.strip():
        raise BadParameter("--log needs --by", fix='--by "CI of the board"')
    plugins, wanted = tuple(plugin or ()), targets or ["runs"]
    with Bars() as bars:
        if len(wanted) == 1 and is_bundle(wanted[0]):
            checks = verify_bundle(
                wanted[0], plugins=plugins, data=data, recompute=recompute, run_sources=run_sources, progress=bars
            )
        else:
            checks = verify_records(
                wanted,
                plugins=plugins,
                data=data,
                runs=runs,
                recompute=recompute,
                seed=seed,
                tolerance=parse_tolerances(tolerance or ()) or None,
                progress=bars,
            )
    wrong = [check for check in checks if check.problem]
    if log is not None:
        from harness.bundles.recomputed import append

        append(log, checks, by)
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
