"""``harness train whitening``: a whitening learnt from a training set, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def whitening(
    spec: Annotated[Path, typer.Argument(help="Retrieval spec: one dataset, backbone, pooling and whitening.")],
    out: Annotated[Path, typer.Option("--out", help="The file, for whitening: {learned: {weights: FILE}}.")],
    training_set: Annotated[
        str, typer.Option("--training-set", help="Name under which the whitening stands in the file.")
    ] = "retrieval-SfM-120k",
    plugin: Annotated[list[str] | None, typer.Option("--plugin", help="File or module with methods.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of your data [default: $HARNESS_DATA].")] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of the cache [default: $HARNESS_CACHE].")
    ] = None,
) -> None:
    """Learn a whitening from a dataset with matching pairs and write it to a file."""
    from harness.cli.display import Bars
    from harness.studies.train_whitening import train_whitening

    with Bars() as bars:
        digest = train_whitening(
            spec, out, training_set=training_set, plugins=tuple(plugin or ()), data=data, cache=cache, progress=bars
        )
    print(f"{out}: SHA-256 {digest}")
