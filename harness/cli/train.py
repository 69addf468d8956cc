"""``harness train``: backbones trained on matching pairs, whitenings learnt from a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.help import Commands
from harness.cli.options import Cache, Catalogues, Data, Plugins

if TYPE_CHECKING:
    from harness.studies.spatial_spec import TrainedCheckpoint


train = typer.Typer(cls=Commands, help="Train what a spec describes.", no_args_is_help=True)


@train.command()
def spatial(
    spec: Annotated[Path, typer.Argument(help="YAML file that describes the training.", show_default=False)],
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
    again: Annotated[bool, typer.Option("--again", help="Train again what exists.")] = False,
) -> None:
    """Fine-tune a backbone on matching pairs, with and without spatial matching."""
    from harness.cli.display import Bars
    from harness.studies.spatial_spec import train_spatial

    with Bars() as bars:
        for trained in train_spatial(
            spec,
            plugins=tuple(plugin or ()),
            catalogues=tuple(catalogue or ()),
            data=data,
            cache=cache,
            again=again,
            progress=bars,
        ):
            print(_summary(trained))


@train.command()
def whitening(
    spec: Annotated[Path, typer.Argument(help="Retrieval spec: one dataset, backbone, pooling and whitening.")],
    out: Annotated[Path, typer.Option("--out", help="The file, for whitening: {learned: {weights: FILE}}.")],
    training_set: Annotated[
        str, typer.Option("--training-set", help="Name of the whitening in the file.")
    ] = "retrieval-SfM-120k",
    into: Annotated[
        bool, typer.Option("--into", help="Add the whitening to the checkpoint that --out is already.")
    ] = False,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
) -> None:
    """Learn a whitening from a dataset with matching pairs and write it to a file."""
    from harness.cli.display import Bars
    from harness.studies.train_whitening import train_whitening

    with Bars() as bars:
        digest = train_whitening(
            spec,
            out,
            training_set=training_set,
            into=into,
            plugins=tuple(plugin or ()),
            catalogues=tuple(catalogue or ()),
            data=data,
            cache=cache,
            progress=bars,
        )
    print(f"{out}: SHA-256 {digest}")


def _summary(trained: TrainedCheckpoint) -> str:
    """What was trained, in one line."""
    if trained.losses is None:
        return f"{trained.path} skipped: it exists (--again trains it again)"
    losses, guided = trained.losses.steps, 100 * trained.losses.guided
    tenth = max(1, len(losses) // 10)
    return (
        f"{trained.path}: mean loss {losses[:tenth].mean():.4f} -> {losses[-tenth:].mean():.4f} over {len(losses)} "
        f"steps, {guided:.0f}% of the channels of matching pairs guided, SHA-256 {trained.sha256}"
    )
