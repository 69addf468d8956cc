"""``harness publish`` and ``harness merge``: records for others, and boards of many people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Catalogues, Data, Plugins, Runs, Target, tolerances


def publish(
    target: Target,
    out: Annotated[
        Path, typer.Option("--out", help="Folder that gets the bundle, or its file (.zip).", show_default=False)
    ],
    measured_by: Annotated[
        str, typer.Option("--measured-by", metavar="NAME", help="Who did the runs.", show_default=False)
    ],
    licence: Annotated[
        str,
        typer.Option(
            "--licence",
            metavar="NAME",
            help="Under which others may use the records, such as CC-BY-4.0.",
            show_default=False,
        ),
    ],
    contact: Annotated[str, typer.Option("--contact", metavar="TEXT", help="Whom to ask.", show_default=False)] = "",
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    runs: Runs = None,
) -> None:
    """Write records as a bundle that others can check and merge.

    It has the records, the spec, the sources of plugin files, the environments and checksums; no absolute paths and no
    user names. What harness records verify calls wrong is refused.
    """
    from harness.bundles import publish as publish_bundle
    from harness.cli.display import Bars
    from harness.core.text import counted

    with Bars() as bars:
        published = publish_bundle(
            target,
            out,
            measured_by=measured_by,
            licence=licence,
            contact=contact,
            plugins=tuple(plugin or ()),
            catalogues=tuple(catalogue or ()),
            data=data,
            runs=runs,
            progress=bars,
        )
    print(f"{counted(published.runs, 'record')}, {counted(published.sources, 'plugin file')}: {published.file}")
    if published.left_out:
        print(f"Left out: {counted(published.left_out, 'imported record')}.")


def merge(
    bundles: Annotated[
        list[str] | None,
        typer.Argument(help="Bundles, or folders of them; none: make the boards again.", show_default=False),
    ] = None,
    into: Annotated[Path, typer.Option("--into", metavar="FOLDER", help="Folder of the boards.")] = Path("board"),
    tolerance: Annotated[list[str] | None, tolerances("Points within which repetitions agree", default="0.1")] = None,
) -> None:
    """Merge bundles of many people into boards, one for each dataset and protocol.

    The result is the same whatever the order of the bundles; no record is lost. Repetitions of a run that differ by
    more than the tolerance are shown as a disagreement.
    """
    from harness.bundles import merge as merge_bundles
    from harness.core.text import counted
    from harness.runs.tolerances import parse_tolerances

    merged = merge_bundles(bundles or (), into, tolerance=parse_tolerances(tolerance or ()) or None)
    for sentence in merged.disagreements:
        print(f"disagreement  {sentence}")
    for sentence in merged.notes:
        print(f"note  {sentence}")
    whole = ((merged.bundles, "bundle"), (merged.runs, "run"), (merged.records, "record"))
    print(f"{', '.join(counted(*part) for part in whole)}: {counted(len(merged.boards), 'board')}.")
    for name, count in merged.boards.items():
        print(f"{counted(count, 'run'):>11}  {merged.folder / 'boards' / name}")
