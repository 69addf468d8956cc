"""``harness train``: weights of backbones and whitenings from generated or own images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.studies.spatial_spec import TrainedCheckpoint


def spatial(
    spec: Annotated[Path, typer.Argument(help="YAML file that describes the training.", show_default=False)],
    plugin: Annotated[list[str] | None, typer.Option("--plugin", help="File or module with methods.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Train what is already there, too.")] = False,
) -> None:
    """Fine-tune a backbone on matching pairs, with and without spatial matching."""
    from harness.cli.display import Bars
    from harness.studies.spatial_spec import train_spatial

    with Bars() as bars:
        for trained in train_spatial(spec, plugins=tuple(plugin or ()), again=again, progress=bars):
            print(_summary(trained))


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
