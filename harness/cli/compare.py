"""``harness compare`` and ``harness gate``: what changed between two measurements, for people and for CI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

_SIDE = "folder of records, record, spec, results.json, or COMMIT:PATH of one in git"
Before = Annotated[str, typer.Argument(metavar="A", help=f"What it was: {_SIDE}.", show_default=False)]
After = Annotated[str, typer.Argument(metavar="B", help=f"What it is now: {_SIDE}.", show_default=False)]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", help="Metric to test, such as map_hard; may be repeated [default: what ranks the board]."),
]
Plugins = Annotated[list[str] | None, typer.Option("--plugin", help="File or module with methods, for a spec.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of your data, for a spec [default: $HARNESS_DATA].")]


def compare(
    before: Before,
    after: After,
    metric: Metrics = None,
    format: Annotated[str, typer.Option("--format", help="markdown or json.")] = "markdown",
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file too.")] = None,
    plugin: Plugins = None,
    data: Data = None,
) -> None:
    """Show what got better or worse from A to B.

    Whether it is more than noise, what else changed, and what it costs.
    """
    from harness.boards.changes_text import render_changes
    from harness.boards.comparing import compare as compare_results
    from harness.core.files import write_atomically
    from harness.runs.targets import find_results

    sides = [find_results(side, plugins=plugin or (), data=data) for side in (before, after)]
    text = render_changes(compare_results(*sides, metrics=metric or ()), format)
    if out is not None:
        write_atomically(out, text.encode())
    print(text, end="")


def gate(
    before: Before,
    after: After,
    metric: Metrics = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option("--tolerance", help="Loss in points that is accepted: NUMBER, or METRIC=NUMBER; may be repeated."),
    ] = None,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="B may lack methods that A has.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the whole comparison to this file.")] = None,
    plugin: Plugins = None,
    data: Data = None,
) -> None:
    """Judge for CI whether B is worse than A.

    Exit code 5: worse by more than noise. 6: nothing was measured, or it cannot be told. 0: otherwise.
    """
    from harness.boards.changes_text import render_changes
    from harness.boards.comparing import compare as compare_results
    from harness.boards.gate import judge
    from harness.core.files import write_atomically
    from harness.runs.targets import find_results
    from harness.runs.tolerances import parse_tolerances

    accepted = parse_tolerances(tolerance or ())
    sides = [find_results(side, plugins=plugin or (), data=data) for side in (before, after)]
    changes = compare_results(*sides, metrics=metric or ())
    verdict = judge(changes, tolerance=accepted, allow_missing=allow_missing)
    if out is not None:
        write_atomically(out, render_changes(changes).encode())
    for title, lines in (("worse", verdict.worse), ("cannot be judged", verdict.unknown)):
        for line in lines:
            print(f"{title}: {line}", file=sys.stderr)
    print(verdict.summary)
    raise typer.Exit(verdict.exit_code)
