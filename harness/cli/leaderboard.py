"""``harness leaderboard``: the boards of a target, as text and as plots."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import (
    Add,
    Cache,
    Catalogues,
    Data,
    Device,
    Numerics,
    Out,
    PlotFormats,
    Plots,
    Plugins,
    Runs,
    Target,
    comma_separated,
)
from harness.core.errors import SpecError

if TYPE_CHECKING:
    from harness.runs.results import Results


def leaderboard(
    target: Target,
    plugin: Plugins = None,
    add: Add = None,
    device: Device = None,
    numerics: Numerics = None,
    data: Data = None,
    cache: Cache = None,
    runs: Runs = None,
    catalogue: Catalogues = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="markdown, terminal, html, latex or latex-wide (either with -siunitx), csv or json "
            "[default: terminal on one, else markdown].",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B", help="Columns beside the first, by key or title; all for every one."),
    ] = None,
    out: Out = None,
    plots: Plots = None,
    plot_formats: PlotFormats = "svg",
    png: Annotated[bool, typer.Option("--png", help="As --plot-formats svg,png.", hidden=True)] = False,
    difference: Annotated[
        tuple[str, str] | None,
        typer.Option("--difference", metavar="A B", help="Two rows against each other, query by query."),
    ] = None,
    savings: Annotated[
        bool, typer.Option("--savings", help="Labels that random, or the baseline, needs to be as good.")
    ] = False,
    penalties: Annotated[
        bool, typer.Option("--penalties", help="How often methods beat each other, as a matrix; no verdict.")
    ] = False,
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
    from harness.core.files import write_atomically
    from harness.runs.targets import find_results

    if plots is None and (png or plot_formats != "svg"):
        raise SpecError("--plot-formats is for plots, and none are asked for", fix="--plots FOLDER draws them")
    format = format or ("terminal" if out is None and sys.stdout.isatty() else "markdown")
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
            device=device,
            numerics=numerics,
        )
    _warn_of(results)
    if not results.boards:
        results.require_records()
    beside = reference or results.reference
    published = read_reference(beside) if beside else None
    images = comma_separated(f"{plot_formats},png" if png else plot_formats)
    pictures: dict[str, bytes] = {}
    if difference is not None:
        shown = boards_of(results, cost=False)
        compared = differences(shown, *difference)
        text = render_differences(compared, format)
        if plots is not None:
            from harness.boards.plots import difference_plots

            pictures = difference_plots(compared, images, boards=shown, data=True)
    elif savings or penalties:
        text, pictures = _summaries(results, format, images if plots is not None else None, savings, penalties)
    else:
        with _no_search_for_cycles():
            text = make_leaderboard(
                results,
                format=format,
                title=results.title,
                description=results.description,
                cost=cost,
                reference=published,
                columns=comma_separated(columns or ""),
            )
        if plots is not None:
            from harness.boards.plots import plots as draw

            pictures = draw(boards_of(results, cost=cost), images, data=True)
        _remember(results)
    if out is not None:
        write_atomically(out, text.encode())
    for name, picture in pictures.items():
        write_atomically((plots or Path()) / name, picture)
    print(text, end="")


def _summaries(
    results: Results, format: str, images: Sequence[str] | None, savings: bool, penalties: bool
) -> tuple[str, dict[str, bytes]]:
    """Tables of label savings and of the penalty matrix, and unless ``images`` is None pictures of them."""
    from harness.boards import boards_of
    from harness.boards import savings as summaries
    from harness.boards.plots import penalty_plot, saving_plots
    from harness.boards.render import render_tables

    boards, tables = boards_of(results, cost=False), []
    pictures: dict[str, bytes] = {}
    if savings:
        found = summaries.savings(boards)
        tables += [summaries.savings_table(saving) for saving in found]
        pictures |= saving_plots(found, images, boards=boards, data=True) if images is not None else {}
    if penalties:
        matrix = summaries.penalty_matrix(boards)
        tables.append(summaries.penalty_table(matrix))
        pictures |= penalty_plot(matrix, images, data=True) if images is not None else {}
    return render_tables(tables, format), pictures


def _remember(results: Results) -> None:
    """Keep which seeds were planned when a verdict of a spec was first shown."""
    from harness.metrics.verdicts.paired import LEAST_SEEDS
    from harness.runs.looks import board_key, keep_looks

    if results.folder is None:
        return
    planned: dict[str, set[int]] = {}
    shown: dict[str, set[int]] = {}
    for record in results.records:
        if record.task != "retrieval":
            planned.setdefault(board_key(record), set()).add(record.seed)
            shown.setdefault(board_key(record), set()).update({record.seed} if record.status == "done" else ())
    decided = {key: sorted(seeds) for key, seeds in planned.items() if len(shown[key]) >= LEAST_SEEDS}
    keep_looks(results.folder, decided)


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
