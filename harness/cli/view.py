"""``harness view``: pictures of what a run did with single images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.help import Commands
from harness.cli.options import Cache, Data, PictureOut, Plugins, Run, RunsOfId

view = typer.Typer(cls=Commands, help="Draw what a run did with single images.", no_args_is_help=True)

Query = Annotated[str, typer.Argument(help="Number or file name of a query.", show_default=False)]


@view.command()
def matches(
    run: Run,
    query: Query,
    image: Annotated[str, typer.Argument(help="Number or file name of a database image.", show_default=False)],
    out: PictureOut,
    histogram: Annotated[
        Path | None, typer.Option("--histogram", help="Draw the inliers of all queries here, with a CSV beside it.")
    ] = None,
    runs: RunsOfId = None,
    plugin: Plugins = None,
    data: Data = None,
    cache: Cache = None,
) -> None:
    """Draw the inliers between a query and an image, as the re-ranker of a run finds them."""
    from harness.cli.display import Bars
    from harness.core.files import write_atomically
    from harness.studies.view import open_run, picture_format
    from harness.studies.view_matches import inliers, view_matches

    formats = {path: picture_format(path) for path in (out, histogram) if path is not None}
    opened = open_run(run, runs=runs, plugins=tuple(plugin or ()), data=data, cache=cache)
    matched = view_matches(opened, query, image, format=formats[out])
    write_atomically(out, matched.picture)
    print(f"{matched.inliers} inliers between query {matched.query} and {matched.image}: {out}")
    if histogram is not None:
        with Bars() as bars:
            counted = inliers(opened, progress=bars)
        write_atomically(histogram, counted.histogram(formats[histogram]))
        write_atomically(histogram.with_suffix(".csv"), counted.csv().encode())
        print(f"inliers of all queries: {histogram}")


@view.command()
def results(
    run: Run,
    query: Query,
    out: PictureOut,
    top: Annotated[int, typer.Option("--top", min=1, help="Number of results; a record keeps 100.")] = 11,
    runs: RunsOfId = None,
    plugin: Plugins = None,
    data: Data = None,
    cache: Cache = None,
) -> None:
    """Draw the results of a query: positives framed in green, negatives in red, junk in grey."""
    from harness.core.files import write_atomically
    from harness.studies.view import open_run, picture_format
    from harness.studies.view_results import view_results

    format = picture_format(out)
    opened = open_run(run, runs=runs, plugins=tuple(plugin or ()), data=data, cache=cache)
    ranked = view_results(opened, query, top=top, format=format)
    write_atomically(out, ranked.picture)
    positive = ranked.relevance.count("positive")
    print(f"{positive} of the first {len(ranked.relevance)} results are positive: {out}")


@view.command()
def saliency(
    run: Run,
    image: Annotated[list[str], typer.Argument(help="Numbers or file names of database images.", show_default=False)],
    out: PictureOut,
    iterations: Annotated[bool, typer.Option("--iterations", help="Draw how the mixture came to its regions.")] = False,
    runs: RunsOfId = None,
    plugin: Plugins = None,
    data: Data = None,
    cache: Cache = None,
) -> None:
    """Draw saliency maps of images and the regions that a run with fs-egm or os-egm found on them."""
    from harness.cli.display import Bars
    from harness.core.files import write_atomically
    from harness.studies.view import open_run, picture_format
    from harness.studies.view_saliency import view_saliency

    format = picture_format(out)
    opened = open_run(run, runs=runs, plugins=tuple(plugin or ()), data=data, cache=cache)
    with Bars() as bars:
        picture = view_saliency(opened, image, iterations=iterations, format=format, progress=bars)
    write_atomically(out, picture)
    print(f"{len(image)} images: {out}")
