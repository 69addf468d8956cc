"""``harness datasets stand-in``: small generated data in the format of published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import AsJson, Catalogues


def stand_in(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A dataset of the catalogue, or networks.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to use as data folder afterwards.", show_default=False)],
    images: Annotated[
        int | None, typer.Option("--images", help="Images of the database or to train on [default: 70 or 5000].")
    ] = None,
    size: Annotated[int, typer.Option("--size", min=32, help="Side in pixels of images for retrieval.")] = 256,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Other seeds give other images.")] = 0,
    catalogue: Catalogues = None,
    as_json: AsJson = False,
) -> None:
    """Write a small generated dataset in the format and layout of a published one, to try a plan before a download.

    Results on stand-in data are not comparable: a marker file says so to records and leaderboards. NAME networks writes
    the files of weights that the boards of the thesis need.
    """
    from harness.cli.listing import dump
    from harness.data.stand_in.write import write_stand_in

    folders = write_stand_in(name, out, images=images, size=size, seed=seed, catalogues=tuple(catalogue or ()))
    if as_json:
        print(dump({"name": name, "folders": [str(folder) for folder in folders]}))
        return
    for folder in folders:
        print(f"{folder}: stand-in data for {name}")
    print(f"Use them with --data {out}. Results are not comparable with any on real data.")
