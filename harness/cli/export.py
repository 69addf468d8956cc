"""``harness export``: rankings of records for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Catalogues, Data, Plugins, Runs, Target


def export(
    target: Target,
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.", show_default=False)],
    format: Annotated[
        list[str] | None, typer.Option("--format", help="trec or npy; may be repeated [default: both].")
    ] = None,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    runs: Runs = None,
) -> None:
    """Write the rankings of records as TREC runs with relevance judgements, and as arrays."""
    from harness.core.errors import SpecError
    from harness.studies.export import FORMATS, export_rankings

    chosen = [name for name in FORMATS if format is None or name in format]
    if unknown := [name for name in format or () if name not in FORMATS]:
        raise SpecError(f'unknown format "{unknown[0]}"', fix=" or ".join(FORMATS))
    files = export_rankings(
        target,
        out,
        chosen,
        plugins=tuple(plugin or ()),
        catalogues=tuple(catalogue or ()),
        data=data,
        runs=runs,
    )
    print(f"{len(files)} files: {out}")
