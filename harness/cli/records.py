"""``harness records``: whether records are what runs left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.help import Commands
from harness.cli.options import TARGET, AsJson, Data, Plugins, Runs, tolerances
from harness.core.errors import BAD_DATA, DONE, BadParameter, SpecError

if TYPE_CHECKING:
    from harness.studies.verify_records import RecordCheck

records = typer.Typer(cls=Commands, help="Verify the records of runs.", no_args_is_help=True)


@records.callback()
def _group() -> None:
    """Keeps ``verify`` a command of its own."""


@records.command()
def verify(
    targets: Annotated[
        list[str] | None, typer.Argument(help=f"{TARGET[:-1]}, or bundles [default: runs].", show_default=False)
    ] = None,
    recompute: Annotated[
        str,
        typer.Option("--recompute", metavar="COUNT|SHARE%", help="Run so many of the runs, 3 or 5%, again, at random."),
    ] = "0",
    seed: Annotated[
        str | None, typer.Option("--seed", help="Of the draw [default: another each time].", show_default=False)
    ] = None,
    tolerance: Annotated[list[str] | None, tolerances("Points by which a run may differ", default="by nothing")] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            help="Draw runs that this file does not name first; add those that gave the same result.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who runs them again, for the log.", show_default=False)
    ] = "",
    plugin: Plugins = None,
    data: Data = None,
    runs: Runs = None,
    run_sources: Annotated[
        bool,
        typer.Option("--run-sources", help="Load the plugin files of bundles: code of others, run on this machine."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that records are whole and say what follows from them.

    Checksum, id, ranges of numbers, metrics from details, rankings against the ground truth where the data are there,
    costs that can be. Exit code 4: some are wrong.
    """
    import json
    from secrets import token_hex

    from harness.bundles.checking import verify as verify_targets
    from harness.cli.display import Bars
    from harness.runs.tolerances import parse_tolerances

    if log is not None and not by.strip():
        raise BadParameter("--log needs --by", fix='--by "CI of the board"')
    seed = seed or token_hex(4)
    with Bars() as bars:
        checks = verify_targets(
            targets or ["runs"],
            plugins=tuple(plugin or ()),
            data=data,
            runs=runs,
            recompute=recompute,
            seed=seed,
            log=log,
            tolerance=parse_tolerances(tolerance or ()) or None,
            run_sources=run_sources,
            progress=bars,
        )
    if not checks:
        fix = "give a spec, a folder that harness run wrote, or bundles: harness records verify FOLDER/*.zip"
        raise SpecError(f"there are no records in {', '.join(map(str, targets or ['runs']))}", fix=fix)
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
        for line in _draw(checks, seed, again, log):
            print(line)
    raise typer.Exit(BAD_DATA if wrong else DONE)


def _draw(checks: Sequence[RecordCheck], seed: str, again: int, log: Path | None) -> Iterator[str]:
    """How to draw the same again, and how long it takes until every run was drawn."""
    if not again:
        return
    from harness.bundles.checking import never_recomputed
    from harness.studies.draw import rounds

    yield f"Drawn with --seed {seed}."
    if log is None:
        return
    left, total = never_recomputed(checks, log)
    mean, most = rounds(left, again)
    yield f"Never run again: {left} of {total}." + (
        f" As many at a time, a wrong one among them is met after {mean:.1f} times on average, {most} at most."
        if left
        else ""
    )
