"""``harness compare`` and ``harness gate``: what changed between two measurements, for people and for CI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import TARGET, Cache, Catalogues, Data, Metrics, Out, Plugins, tolerances

Before = Annotated[str, typer.Argument(metavar="A", help=f"What it was. {TARGET}", show_default=False)]
After = Annotated[str, typer.Argument(metavar="B", help="What it is now: the same.", show_default=False)]


def compare(
    before: Before,
    after: After,
    metric: Metrics = None,
    format: Annotated[str, typer.Option("--format", help="markdown or json.")] = "markdown",
    out: Out = None,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
) -> None:
    """Show what got better or worse from A to B.

    Whether it is significant, what else changed, and what it costs.
    """
    from harness.boards import compare as compare_results
    from harness.boards.comparison.report import render_changes
    from harness.core.files import write_atomically
    from harness.runs.targets import Resolver

    resolver = Resolver(tuple(plugin or ()), data, cache, catalogues=tuple(catalogue or ()))
    sides = [resolver.results(side) for side in (before, after)]
    text = render_changes(compare_results(*sides, metrics=metric or ()), format)
    if out is not None:
        write_atomically(out, text.encode())
    print(text, end="")


def gate(
    before: Before,
    after: After,
    metric: Metrics = None,
    tolerance: Annotated[list[str] | None, tolerances("Loss in points that is accepted", default="none")] = None,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="B may lack methods that A has.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the whole comparison to this file.")] = None,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
) -> None:
    """Judge for CI whether B is worse than A.

    Exit code 5: significantly worse. 6: nothing was measured, or inconclusive. 0: otherwise.
    """
    from harness.boards import compare as compare_results
    from harness.boards.comparison.gate import judge
    from harness.boards.comparison.report import render_changes
    from harness.core.files import write_atomically
    from harness.runs.targets import Resolver
    from harness.runs.tolerances import parse_tolerances

    accepted = parse_tolerances(tolerance or ())
    resolver = Resolver(tuple(plugin or ()), data, cache, catalogues=tuple(catalogue or ()))
    sides = [resolver.results(side) for side in (before, after)]
    changes = compare_results(*sides, metrics=metric or ())
    verdict = judge(changes, tolerance=accepted, allow_missing=allow_missing)
    if out is not None:
        write_atomically(out, render_changes(changes).encode())
    for title, lines in (("worse", verdict.worse), ("cannot be judged", verdict.unknown)):
        for line in lines:
            print(f"{title}: {line}", file=sys.stderr)
    print(verdict.summary)
    raise typer.Exit(verdict.exit_code)
