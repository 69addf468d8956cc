"""``harness page``: boards, methods and runs as a static page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Cache, Catalogues, Data, Plugins, Targets


def page(
    targets: Targets,
    out: Annotated[Path, typer.Option("--out", help="Folder to write; replaced as a whole.")] = Path("site"),
    title: Annotated[str, typer.Option("--title", help="Heading [default: the specs' names].")] = "",
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw curves and costs.")] = True,
    galleries: Annotated[
        int, typer.Option("--galleries", min=0, help="Show the results of so many queries of each board (needs data).")
    ] = 0,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
) -> None:
    """Write leaderboards as a static page: no network, no server; open index.html."""
    from harness.core.text import counted
    from harness.site import write_page

    written = write_page(
        targets,
        out,
        title=title,
        pictures=pictures,
        galleries=galleries,
        plugins=tuple(plugin or ()),
        catalogues=tuple(catalogue or ()),
        data=data,
        cache=cache,
    )
    for sentence in written.notes:
        print(sentence)
    print(f"{counted(written.boards, 'board')} of {counted(written.records, 'record')}. Open {written.index}")
